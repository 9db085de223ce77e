import type { Server } from "node:http";
import type { Logger } from "../kubernetes/logger.ts";
import type { CheckResult, HealthChecks } from "./health.ts";

/**
 * `/healthz` and `/readyz`: 200 or 503 without a body. Which checks fail is in the logs, and in the answer to
 * `?verbose`, names only.
 */
export function createHealthServer(checks: HealthChecks, logger: Logger): Server {
  // Not imported: the module brings Node's fetch and WebSocket with it, and most processes serve nothing.
  const { createServer } = process.getBuiltinModule("node:http");
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    const run = { "/healthz": () => checks.live(), "/readyz": () => checks.ready() }[url.pathname];
    if (run === undefined || (request.method !== "GET" && request.method !== "HEAD")) {
      response.writeHead(run === undefined ? 404 : 405).end();
      return;
    }
    run()
      .then((results) => {
        const isWell = results.every((result) => result.error === undefined);
        const body = url.searchParams.has("verbose") ? verbose(results) : "";
        response.writeHead(isWell ? 200 : 503, { "content-type": "text/plain; charset=utf-8" }).end(body);
      })
      .catch((error: unknown) => {
        logger.error({ err: error }, "a health request failed");
        response.writeHead(503).end();
      });
  });
  limit(server);
  return server;
}

/** Bounds what a slow or greedy peer can hold of a small server. */
export function limit(server: Server): void {
  server.headersTimeout = 5_000;
  server.requestTimeout = 10_000;
  server.keepAliveTimeout = 30_000;
  server.maxConnections = 128;
}

function verbose(results: readonly CheckResult[]): string {
  return results.map(({ name, error }) => `${error === undefined ? "[+]" : "[-]"}${name}\n`).join("");
}

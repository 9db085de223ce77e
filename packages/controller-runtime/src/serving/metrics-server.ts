import type { IncomingMessage, ServerResponse } from "node:http";
import type { Server } from "node:https";
import type { Registry } from "prom-client";
import type { Logger } from "../kubernetes/logger.ts";
import type { Certificate } from "./certificate.ts";
import type { HandlerAnswer, HandlerRequest } from "./extra-handler.ts";
import { limit } from "./health-server.ts";
import type { Access, ScrapeAccess } from "./scrape-access.ts";

const statusOf: Readonly<Record<Exclude<Access, "allowed">, number>> = {
  unauthenticated: 401,
  forbidden: 403,
  tooMany: 429,
};

/** A path, and who may read it; without `access` anybody. */
export interface ServedPath {
  readonly access: ScrapeAccess | undefined;
  answer(request: HandlerRequest): HandlerAnswer | Promise<HandlerAnswer>;
}

/**
 * `/metrics` over TLS 1.3, and what `extra` has besides by path, for callers that `access` allows; everybody else gets a
 * bare status.
 */
export function createMetricsServer(parts: {
  readonly registry: Registry;
  readonly access: ScrapeAccess;
  readonly certificate: Certificate;
  readonly logger: Logger;
  readonly extra?: ReadonlyMap<string, ServedPath>;
}): Server {
  const { registry, access, certificate, logger } = parts;
  const served = new Map<string, ServedPath>([
    ...(parts.extra ?? []),
    ["/metrics", { access, answer: () => metrics(registry) }],
  ]);
  const { createServer } = process.getBuiltinModule("node:https"); // see health-server.ts
  const server = createServer(
    { cert: certificate.cert, key: certificate.key, minVersion: "TLSv1.3" },
    (request, response) => {
      const [path = "/"] = (request.url ?? "/").split("?");
      const handler = served.get(path);
      if (handler === undefined) {
        response.writeHead(404).end();
        return;
      }
      if (request.method !== "GET" && request.method !== "HEAD") {
        response.writeHead(405, { allow: "GET, HEAD" }).end();
        return;
      }
      serve(handler, request, response).catch((error: unknown) => {
        logger.warn(
          { err: error, path },
          "not served: the API server could not be asked who wants it, or the answer could not be made",
        );
        if (!response.headersSent) response.writeHead(503);
        response.end();
      });
    },
  );
  limit(server);
  return server;
}

async function serve(handler: ServedPath, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const judged = (await handler.access?.judge(request.headers.authorization)) ?? "allowed";
  if (judged !== "allowed") {
    const challenge = judged === "unauthenticated" ? { "www-authenticate": "Bearer" } : {};
    response.writeHead(statusOf[judged], challenge).end();
    return;
  }
  const { status, headers, body } = await handler.answer({ headers: request.headers });
  response.writeHead(status, { ...headers }).end(body);
}

async function metrics(registry: Registry): Promise<HandlerAnswer> {
  const body = await registry.metrics();
  return { status: 200, headers: { "content-type": registry.contentType }, body };
}

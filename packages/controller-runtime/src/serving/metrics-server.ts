import type { ServerResponse } from "node:http";
import type { Server } from "node:https";
import type { Registry } from "prom-client";
import type { Logger } from "../kubernetes/logger.ts";
import type { Certificate } from "./certificate.ts";
import { limit } from "./health-server.ts";
import type { Access, ScrapeAccess } from "./scrape-access.ts";

const statusOf: Readonly<Record<Exclude<Access, "allowed">, number>> = {
  unauthenticated: 401,
  forbidden: 403,
  tooMany: 429,
};

/** `/metrics` over TLS 1.3 for callers that `access` allows; everybody else gets a bare status. */
export function createMetricsServer(parts: {
  readonly registry: Registry;
  readonly access: ScrapeAccess;
  readonly certificate: Certificate;
  readonly logger: Logger;
}): Server {
  const { registry, access, certificate, logger } = parts;
  const answer = async (authorization: string | undefined, response: ServerResponse): Promise<void> => {
    const judged = await access.judge(authorization);
    if (judged !== "allowed") {
      const challenge = judged === "unauthenticated" ? { "www-authenticate": "Bearer" } : {};
      response.writeHead(statusOf[judged], challenge).end();
      return;
    }
    const body = await registry.metrics();
    response.writeHead(200, { "content-type": registry.contentType }).end(body);
  };
  const { createServer } = process.getBuiltinModule("node:https"); // see health-server.ts
  const server = createServer(
    { cert: certificate.cert, key: certificate.key, minVersion: "TLSv1.3" },
    (request, response) => {
      if ((request.url ?? "/").split("?")[0] !== "/metrics") {
        response.writeHead(404).end();
        return;
      }
      if (request.method !== "GET" && request.method !== "HEAD") {
        response.writeHead(405, { allow: "GET, HEAD" }).end();
        return;
      }
      answer(request.headers.authorization, response).catch((error: unknown) => {
        logger.warn(
          { err: error },
          "metrics were not served: the API server could not be asked who wants them",
        );
        if (!response.headersSent) response.writeHead(503);
        response.end();
      });
    },
  );
  limit(server);
  return server;
}

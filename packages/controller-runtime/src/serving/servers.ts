import { once } from "node:events";
import type { Server } from "node:http";
import type { Server as TlsServer } from "node:https";
import type { Registry } from "prom-client";
import type { Clock, TimerHandle } from "../clock/clock.ts";
import type { Logger } from "../kubernetes/logger.ts";
import type { Client } from "../transport/client.ts";
import { parseBindAddress } from "./bind-address.ts";
import { type Certificate, type CertificateSource, selfSigned } from "./certificate.ts";
import type { ExtraHandler, HandlerRequest } from "./extra-handler.ts";
import type { HealthChecks } from "./health.ts";
import { createHealthServer } from "./health-server.ts";
import { createMetricsServer, type ServedPath } from "./metrics-server.ts";
import { ScrapeAccess } from "./scrape-access.ts";

export interface ServersOptions {
  readonly client: Client;
  readonly metrics: Registry;
  readonly metricsBindAddress?: string;
  readonly metricsCertificate?: CertificateSource;
  readonly healthBindAddress?: string;
  /** What is served beside `/metrics`, by path. */
  readonly extraHandlers?: ReadonlyMap<string, ExtraHandler>;
  readonly logger: Logger;
}

const certificateCheckMs = 60_000;

/** The health and metrics servers of a process, those that were asked for. */
export class ManagerServers {
  readonly #options: ServersOptions;
  readonly #checks: HealthChecks;
  readonly #clock: Clock;
  readonly #servers: Server[] = [];
  #timer: TimerHandle | undefined;
  #isStopped = false;

  constructor(options: ServersOptions, checks: HealthChecks, clock: Clock) {
    this.#options = options;
    this.#checks = checks;
    this.#clock = clock;
  }

  /** Resolves when all listen. Throws what `listen` does, as EADDRINUSE. */
  async start(): Promise<void> {
    const { healthBindAddress, metricsBindAddress, logger } = this.#options;
    if (healthBindAddress !== undefined) {
      await this.#listen("health", createHealthServer(this.#checks, logger), healthBindAddress);
    }
    if (metricsBindAddress !== undefined) await this.#startMetrics(metricsBindAddress);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#clock.clearTimeout(this.#timer);
    await Promise.all(this.#servers.map(close));
  }

  async #startMetrics(address: string): Promise<void> {
    const { client, metrics: registry, logger } = this.#options;
    const { host } = parseBindAddress(address);
    const hosts = ["localhost", "127.0.0.1", "::1", ...(host === undefined ? [] : [host])];
    const source = this.#options.metricsCertificate ?? selfSigned(this.#clock, [...new Set(hosts)]);
    const certificate = await source();
    const access = new ScrapeAccess({ client, clock: this.#clock });
    const extra = this.#extraPaths();
    const server = createMetricsServer({ registry, access, certificate, logger, extra });
    await this.#listen("metrics", server, address);
    this.#reloadLater(server, source, certificate);
  }

  /** Each path has questions of its own to the API server: who asks for one in a loop holds up no other. */
  #extraPaths(): Map<string, ServedPath> {
    const { client, extraHandlers = new Map<string, ExtraHandler>() } = this.#options;
    return new Map(
      [...extraHandlers].map(([path, handler]) => [
        path,
        {
          access: handler.needsRight ? new ScrapeAccess({ client, clock: this.#clock, path }) : undefined,
          answer: (request: HandlerRequest) => handler.answer(request),
        },
      ]),
    );
  }

  #reloadLater(server: TlsServer, source: CertificateSource, current: Certificate): void {
    if (this.#isStopped) return;
    this.#timer = this.#clock.setTimeout(
      () => void this.#reload(server, source, current),
      certificateCheckMs,
    );
  }

  async #reload(server: TlsServer, source: CertificateSource, current: Certificate): Promise<void> {
    let next = current;
    try {
      next = await source();
      if (next.cert !== current.cert || next.key !== current.key) {
        server.setSecureContext({ cert: next.cert, key: next.key, minVersion: "TLSv1.3" });
        this.#options.logger.info({}, "the metrics certificate was renewed");
      }
    } catch (error) {
      next = current;
      this.#options.logger.warn(
        { err: error },
        "the metrics certificate could not be read; serving the last",
      );
    }
    this.#reloadLater(server, source, next);
  }

  async #listen(name: string, server: Server, address: string): Promise<void> {
    const { host, port } = parseBindAddress(address);
    server.listen(host === undefined ? { port } : { host, port });
    await once(server, "listening");
    this.#servers.push(server);
    this.#options.logger.info({ address: server.address() }, `serving ${name}`);
  }
}

async function close(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
}

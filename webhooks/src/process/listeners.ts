import type { Server as HttpsServer } from "node:https";
import {
  type Client,
  type Clock,
  createMetricsServer,
  type Logger,
  ScrapeAccess,
  type Tracer,
} from "@shieldx/controller-runtime";
import { WEBHOOK_PATH } from "@shieldx/crds";
import type { TlsMaterial } from "@shieldx/pki/secret";
import type { Registry } from "prom-client";
import { probeHandler } from "../admission/probe.ts";
import { BodyBudget } from "../server/body.ts";
import type { HttpRoutes } from "../server/http-routes.ts";
import type { WebhookMetrics } from "../server/metrics.ts";
import { type AdmissionHandler, type UnreadHandler, WebhookServer } from "../server/webhook-server.ts";
import type { WebhookFlags } from "./flags.ts";

export interface ListenerParts {
  readonly flags: Pick<WebhookFlags, "bindAddress" | "probeBindAddress" | "metricsBindAddress">;
  readonly clientCa: string | undefined;
  readonly routes: ReadonlyMap<string, AdmissionHandler>;
  readonly unread: ReadonlyMap<string, UnreadHandler>;
  readonly http: HttpRoutes;
  readonly registry: Registry;
  readonly metrics: WebhookMetrics;
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tracer: Tracer | undefined;
}

/** The three HTTPS servers of a replica. They open with the first leaf and follow every later one. */
export class Listeners {
  readonly #parts: ListenerParts;
  #admission: WebhookServer | undefined;
  #probe: WebhookServer | undefined;
  #scrapes: HttpsServer | undefined;

  constructor(parts: ListenerParts) {
    this.#parts = parts;
  }

  get areOpen(): boolean {
    return this.#admission?.address !== undefined && this.#probe?.address !== undefined;
  }

  /** @throws what listening does, as EADDRINUSE */
  async open({ serving, candidate }: TlsMaterial): Promise<void> {
    const { flags, registry, client, clock, logger, clientCa } = this.#parts;
    const shared = {
      ...(clientCa === undefined ? {} : { clientCa }),
      metrics: this.#parts.metrics,
      logger,
    };
    const { tracer } = this.#parts;
    this.#admission = new WebhookServer({
      ...shared,
      port: "https",
      tracer,
      routes: this.#parts.routes,
      unread: this.#parts.unread,
      http: this.#parts.http,
      leaf: serving,
      budget: new BodyBudget(),
    });
    this.#probe = new WebhookServer({
      ...shared,
      port: "probe",
      routes: new Map([[WEBHOOK_PATH.probe, probeHandler]]),
      leaf: candidate ?? serving,
      singleRequest: true,
      // A probe is a ConfigMap without data.
      budget: new BodyBudget({
        largestBytes: 256 * 1024,
        heldBytes: 4 * 1024 * 1024,
        slowestBytesPerSecond: 4096,
        graceMs: 3_000,
      }),
      limits: { connections: 200, connectionsPerAddress: 100 },
    });
    const admission = await this.#admission.listen(flags.bindAddress.host, flags.bindAddress.port);
    const probe = await this.#probe.listen(flags.probeBindAddress.host, flags.probeBindAddress.port);
    logger.info({ address: admission, probe, leaf: serving.fingerprint }, "serving admission requests");
    if (flags.metricsBindAddress !== undefined) {
      const access = new ScrapeAccess({ client, clock });
      const certificate = { cert: serving.certificatePem, key: serving.privateKeyPem };
      this.#scrapes = createMetricsServer({ registry, access, certificate, logger });
      await listen(this.#scrapes, flags.metricsBindAddress);
    }
  }

  /** New connections get the new leaves; those that are open end with one of their next answers. */
  follow({ serving, candidate }: TlsMaterial): void {
    this.#admission?.setLeaf(serving);
    this.#probe?.setLeaf(candidate ?? serving);
    this.#scrapes?.setSecureContext({
      cert: serving.certificatePem,
      key: serving.privateKeyPem,
      minVersion: "TLSv1.3",
    });
  }

  beginDraining(): void {
    this.#admission?.beginDraining();
  }

  async close(graceMs: number): Promise<void> {
    await Promise.all([this.#admission?.close(graceMs), this.#probe?.close(1_000)]);
    this.#scrapes?.close();
    this.#scrapes?.closeAllConnections();
  }
}

function listen(
  server: HttpsServer,
  { host, port }: { host: string | undefined; port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

import { HotHistogram, type HotNumber, hotCounter, hotGauge } from "@shieldx/controller-runtime";
import { WEBHOOK_PATH } from "@shieldx/crds";
import { Counter, Gauge, type Registry } from "prom-client";

/** Leaves and addresses that keep a series of their own; what is older or beyond is dropped or called "other". */
const keptLeaves = 4;
const keptAddresses = 64;

/** Metrics of the HTTPS servers: controller-runtime's names where it has them, every label bounded. */
export class WebhookMetrics {
  readonly requests: HotNumber<"webhook" | "code">;
  readonly latency: HotHistogram<"webhook">;
  readonly inFlight: HotNumber<"webhook">;
  readonly panics: Counter<"webhook">;
  readonly connections: Gauge<"port">;
  readonly refusedConnections: Counter<"port" | "reason">;
  readonly notAfter: Gauge<"leaf">;
  readonly reloads: Counter<"result">;
  readonly #handshakes: Counter<"port" | "remote" | "leaf">;
  readonly #leaves: string[] = [];
  readonly #addresses = new Set<string>();

  constructor(registry: Registry) {
    const registers = [registry];
    this.requests = hotCounter({
      name: "controller_runtime_webhook_requests_total",
      help: "Admission requests by path and HTTP status",
      labelNames: ["webhook", "code"],
      registry,
    });
    this.latency = new HotHistogram({
      name: "controller_runtime_webhook_latency_seconds",
      help: "Time to answer an admission request",
      labelNames: ["webhook"],
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registry,
    });
    this.inFlight = hotGauge({
      name: "controller_runtime_webhook_requests_in_flight",
      help: "Admission requests being answered",
      labelNames: ["webhook"],
      registry,
    });
    this.panics = new Counter({
      name: "controller_runtime_webhook_panics_total",
      help: "Admission requests whose handler threw",
      labelNames: ["webhook"],
      registers,
    });
    this.connections = new Gauge({
      name: "shieldx_webhook_connections",
      help: "Open TLS connections",
      labelNames: ["port"],
      registers,
    });
    this.refusedConnections = new Counter({
      name: "shieldx_webhook_refused_connections_total",
      help: "Connections that ended before a request: failed handshakes, too many at once",
      labelNames: ["port", "reason"],
      registers,
    });
    this.notAfter = new Gauge({
      name: "shieldx_webhook_certificate_not_after_seconds",
      help: "When the leaf in use expires, seconds since the epoch",
      labelNames: ["leaf"],
      registers,
    });
    this.reloads = new Counter({
      name: "shieldx_webhook_certificate_reloads_total",
      help: "Certificates taken from the Secret, or found unusable there",
      labelNames: ["result"],
      registers,
    });
    // A rate needs a zero to begin at, or the first ones go unseen.
    for (const port of ["https", "probe"]) {
      for (const reason of ["handshake", "too-many", "too-many-per-address"])
        this.refusedConnections.inc({ port, reason }, 0);
    }
    for (const result of ["loaded", "unusable"]) this.reloads.inc({ result }, 0);
    for (const webhook of Object.values(WEBHOOK_PATH)) this.panics.inc({ webhook }, 0);
    this.#handshakes = new Counter({
      name: "shieldx_webhook_handshakes_total",
      help: "TLS handshakes by client address and leaf (first 16 digits of its fingerprint)",
      labelNames: ["port", "remote", "leaf"],
      registers,
    });
  }

  handshake(port: string, remote: string, leaf: string): void {
    const short = leaf.slice(0, 16);
    this.#keep(short);
    if (!this.#addresses.has(remote) && this.#addresses.size < keptAddresses) this.#addresses.add(remote);
    this.#handshakes.inc({ port, remote: this.#addresses.has(remote) ? remote : "other", leaf: short });
  }

  /** A leaf nobody meets any more takes its series with it; a rotation a day must not grow /metrics for ever. */
  #keep(leaf: string): void {
    if (this.#leaves.includes(leaf)) return;
    this.#leaves.push(leaf);
    const gone = this.#leaves.length > keptLeaves ? this.#leaves.shift() : undefined;
    if (gone === undefined) return;
    for (const port of ["https", "probe"]) {
      for (const remote of [...this.#addresses, "other"])
        this.#handshakes.remove({ port, remote, leaf: gone });
    }
  }
}

import type { Registry } from "prom-client";
import type { Clock } from "../clock/clock.ts";
import type { LeaseTiming } from "../election/lease.ts";
import type { Logger } from "../kubernetes/logger.ts";
import type { Tracer } from "../kubernetes/tracer.ts";
import type { CertificateSource } from "../serving/certificate.ts";
import type { Client } from "../transport/client.ts";

export interface LeaderElectionOptions {
  /** Name of the Lease. Default: the manager's name. */
  readonly leaseName?: string;
  /** Default: the manager's namespace. */
  readonly leaseNamespace?: string;
  /** 15 s, 10 s, 2 s and jitter 1.2 unless given. */
  readonly timing?: Partial<LeaseTiming>;
}

export interface ManagerOptions {
  readonly client: Client;
  /** Of the operator: names its Lease and appears in metrics. */
  readonly name: string;
  /** Where the Lease is. */
  readonly namespace: string;
  /** Of this process among its replicas, for people; default the host name. A random suffix makes it unique. */
  readonly identity?: string;
  /** Default true. */
  readonly leaderElection?: boolean | LeaderElectionOptions;
  /** Where all metrics are registered; default one of its own. */
  readonly metrics?: Registry;
  /** `host:port` of `/metrics` (HTTPS, authenticated); `:port` means every interface. Default: not served. */
  readonly metricsBindAddress?: string;
  /** Certificate of `/metrics`; default one made at start and signed by itself. */
  readonly metricsCertificate?: CertificateSource;
  /** `host:port` of `/healthz` and `/readyz` (HTTP). Default: not served. */
  readonly healthBindAddress?: string;
  readonly logger: Logger;
  /** Reports each reconcile as a span. Give the client the same one, and its requests are part of them. */
  readonly tracer?: Tracer | undefined;
  readonly clock?: Clock;
  /** For jitter, uniform in [0, 1). */
  readonly random?: () => number;
  /** How long caches may take to fill, milliseconds. Default 120,000; a controller may ask for more. */
  readonly cacheSyncTimeoutMs?: number;
  /** How long reconciles and runnables may go on after the signal to stop. Default 30,000 ms. */
  readonly gracefulShutdownTimeoutMs?: number;
}

/** Something that runs as long as the manager does. */
export interface Runnable {
  readonly name: string;
  /** Whether it runs on the leader only, after the caches are filled. Otherwise it starts first. */
  readonly needsLeadership: boolean;
  /**
   * Runs until the signal aborts, then ends in good order. Rejecting ends the manager with that error;
   * resolving early is fine.
   */
  start(signal: AbortSignal): Promise<void>;
}

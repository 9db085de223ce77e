import type { Registry } from "prom-client";
import Counter from "prom-client/lib/counter.js";
import Gauge from "prom-client/lib/gauge.js";
import type { InformerMetrics } from "../cache/informer-metrics.ts";
import { WorkQueueMetrics } from "../control/queue/work-queue-metrics.ts";
import { ControllerMetrics } from "./controller-metrics.ts";

/** All metrics of a manager in one registry. */
export class ManagerMetrics {
  readonly controllers: ControllerMetrics;
  readonly workQueues: WorkQueueMetrics;
  readonly informers: InformerMetrics;
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
    this.controllers = new ControllerMetrics(registry);
    this.workQueues = new WorkQueueMetrics(registry);
    this.informers = createInformerMetrics(registry);
  }

  /**
   * Adds prom-client's metrics of the process, unless they are there. Only where somebody can read them: they are half of
   * what prom-client takes to load, and wake an idle process a hundred times a second.
   */
  async collectProcessMetrics(): Promise<void> {
    if (this.#registry.getSingleMetric("process_cpu_seconds_total") !== undefined) return;
    const { default: collectDefaultMetrics } = await import("prom-client/lib/defaultMetrics.js");
    collectDefaultMetrics({ register: this.#registry });
  }

  /** `leader_election_master_status`: asked at each scrape, so that a stalled leader does not report 1. */
  leaderStatus(name: string, isLeader: () => boolean): void {
    new Gauge({
      name: "leader_election_master_status",
      help: "1 while this process holds the lease of that name, else 0",
      labelNames: ["name"] as const,
      registers: [this.#registry],
      collect() {
        this.set({ name }, isLeader() ? 1 : 0);
      },
    });
  }
}

/** Sizes, lists, watches and failures of the caches. */
export function createInformerMetrics(registry: Registry): InformerMetrics {
  const registers = [registry];
  const sizes = new Map<string, (() => number)[]>();
  new Gauge({
    name: "shieldx_runtime_informer_objects",
    help: "Objects in the caches now",
    labelNames: ["resource"] as const,
    registers,
    collect() {
      for (const [resource, caches] of sizes)
        this.set(
          { resource },
          caches.reduce((total, size) => total + size(), 0),
        );
    },
  });
  const watched = new Counter({
    name: "shieldx_runtime_informer_watches_total",
    help: "Watches that were opened; each lasts 5 to 10 minutes unless it breaks",
    labelNames: ["resource"] as const,
    registers,
  });
  const listed = new Counter({
    name: "shieldx_runtime_informer_listed_objects_total",
    help: "Objects that lists brought into the caches",
    labelNames: ["resource"] as const,
    registers,
  });
  const failures = new Counter({
    name: "shieldx_runtime_informer_failures_total",
    help: "Lists and watches that failed and were tried again",
    labelNames: ["resource", "verb", "kind"] as const,
    registers,
  });
  const handlerFailures = new Counter({
    name: "shieldx_runtime_informer_handler_failures_total",
    help: "Event handlers that threw",
    labelNames: ["resource"] as const,
    registers,
  });
  return {
    cached: (resource, size) => {
      sizes.set(resource, [...(sizes.get(resource) ?? []), size]);
      // A rate needs a zero to begin at, or the first failures go unseen.
      for (const verb of ["list", "watch"]) failures.inc({ resource, verb, kind: "unavailable" }, 0);
    },
    watched: (resource) => watched.inc({ resource }),
    listed: (resource, objects) => listed.inc({ resource }, objects),
    failed: (resource, verb, kind) => failures.inc({ resource, verb, kind }),
    handlerFailed: (resource) => handlerFailures.inc({ resource }),
  };
}

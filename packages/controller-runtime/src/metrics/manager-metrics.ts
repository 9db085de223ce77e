import { Counter, collectDefaultMetrics, Gauge, type Registry } from "prom-client";
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
    if (registry.getSingleMetric("process_cpu_seconds_total") === undefined) {
      collectDefaultMetrics({ register: registry });
    }
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

/** Lists and failures of the caches. */
export function createInformerMetrics(registry: Registry): InformerMetrics {
  const registers = [registry];
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
    listed: (resource, objects) => listed.inc({ resource }, objects),
    failed: (resource, verb, kind) => failures.inc({ resource, verb, kind }),
    handlerFailed: (resource) => handlerFailures.inc({ resource }),
  };
}

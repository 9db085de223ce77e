import type { Registry } from "prom-client";
import Gauge from "prom-client/lib/gauge.js";
import { exponentialBuckets } from "../../metrics/buckets.ts";
import { HotHistogram, type HotNumber, hotCounter } from "../../metrics/hot-metrics.ts";
import type { QueueObserver } from "./work-queue-state.ts";

interface QueueLabels {
  readonly name: string;
  readonly controller: string;
}

/** What a scrape asks a queue. */
export interface QueueSnapshot {
  readonly depths: ReadonlyMap<number, number>;
  readonly totalMs: number;
  readonly longestMs: number;
}

/** client-go's work queue metrics with controller-runtime's labels, so that existing dashboards work. */
export class WorkQueueMetrics {
  readonly #snapshots = new Map<string, { labels: QueueLabels; take: () => QueueSnapshot }>();
  readonly #adds: HotNumber<"name" | "controller">;
  readonly #retries: HotNumber<"name" | "controller">;
  readonly #queueDuration: HotHistogram<"name" | "controller">;
  readonly #workDuration: HotHistogram<"name" | "controller">;

  constructor(registry: Registry) {
    const labelNames = ["name", "controller"] as const;
    const tenths = exponentialBuckets(1e-8, 10, 12);
    this.#adds = hotCounter({
      name: "workqueue_adds_total",
      help: "Keys that became wanted",
      labelNames,
      registry,
    });
    this.#retries = hotCounter({
      name: "workqueue_retries_total",
      help: "Keys put back after a failure",
      labelNames,
      registry,
    });
    this.#queueDuration = new HotHistogram({
      name: "workqueue_queue_duration_seconds",
      help: "Time a key was ready before a worker took it",
      labelNames,
      buckets: tenths,
      registry,
    });
    this.#workDuration = new HotHistogram({
      name: "workqueue_work_duration_seconds",
      help: "Time a worker held a key",
      labelNames,
      buckets: tenths,
      registry,
    });
    this.#registerGauges(registry);
  }

  /** Starts counting for a queue; `snapshot` is called at each scrape. */
  observe(labels: QueueLabels, snapshot: () => QueueSnapshot): QueueObserver {
    this.#snapshots.set(labels.name, { labels, take: snapshot });
    const adds = this.#adds.labels(labels);
    const retries = this.#retries.labels(labels);
    const queueDuration = this.#queueDuration.labels(labels);
    const workDuration = this.#workDuration.labels(labels);
    // A rate needs a zero to begin at.
    for (const counter of [adds, retries]) counter.inc(0);
    return {
      added: () => adds.inc(),
      retried: () => retries.inc(),
      started: (waitedMs) => queueDuration.observe(waitedMs / 1000),
      finished: (workedMs) => workDuration.observe(workedMs / 1000),
    };
  }

  /** Stops reporting the gauges of a queue that was shut down. */
  forget(name: string): void {
    this.#snapshots.delete(name);
  }

  #registerGauges(registry: Registry): void {
    const snapshots = this.#snapshots;
    const registers = [registry];
    new Gauge({
      name: "workqueue_depth",
      help: "Keys ready for a worker, by priority",
      labelNames: ["name", "controller", "priority"] as const,
      registers,
      collect() {
        this.reset();
        for (const { labels, take } of snapshots.values()) {
          this.set({ ...labels, priority: "0" }, 0);
          for (const [priority, depth] of take().depths) {
            this.set({ ...labels, priority: String(priority) }, depth);
          }
        }
      },
    });
    new Gauge({
      name: "workqueue_unfinished_work_seconds",
      help: "Age of all work under way, added up",
      labelNames: ["name", "controller"] as const,
      registers,
      collect() {
        this.reset();
        for (const { labels, take } of snapshots.values()) this.set({ ...labels }, take().totalMs / 1000);
      },
    });
    new Gauge({
      name: "workqueue_longest_running_processor_seconds",
      help: "Age of the oldest work under way",
      labelNames: ["name", "controller"] as const,
      registers,
      collect() {
        this.reset();
        for (const { labels, take } of snapshots.values()) this.set({ ...labels }, take().longestMs / 1000);
      },
    });
  }
}

import type { Registry } from "prom-client";
import { HotHistogram, type HotNumber, hotCounter, hotGauge } from "./hot-metrics.ts";

/** Buckets of `controller_runtime_reconcile_time_seconds`, as in controller-runtime. */
const reconcileBuckets = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25,
  1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60,
];

/** One controller's view of the metrics: every method is one increment. */
export interface ControllerMetricsOf {
  readonly success: () => void;
  readonly requeueAfter: () => void;
  readonly requeue: () => void;
  readonly error: () => void;
  readonly terminalError: () => void;
  readonly panic: () => void;
  readonly timeout: () => void;
  readonly duration: (seconds: number) => void;
  readonly workers: (change: number) => void;
}

/** controller-runtime's controller metrics under its names. One instance per registry. */
export class ControllerMetrics {
  readonly #total: HotNumber<"controller" | "result">;
  readonly #errors: HotNumber<"controller">;
  readonly #terminalErrors: HotNumber<"controller">;
  readonly #panics: HotNumber<"controller">;
  readonly #timeouts: HotNumber<"controller">;
  readonly #time: HotHistogram<"controller">;
  readonly #maxConcurrent: HotNumber<"controller">;
  readonly #activeWorkers: HotNumber<"controller">;

  constructor(registry: Registry) {
    const labelNames = ["controller"] as const;
    const counter = (name: string, help: string): HotNumber<"controller"> =>
      hotCounter({ name: `controller_runtime_${name}`, help, labelNames, registry });
    const gauge = (name: string, help: string): HotNumber<"controller"> =>
      hotGauge({ name: `controller_runtime_${name}`, help, labelNames, registry });
    this.#total = hotCounter({
      name: "controller_runtime_reconcile_total",
      help: "Reconciles by controller and result: success, error, requeue or requeue_after",
      labelNames: ["controller", "result"] as const,
      registry,
    });
    this.#errors = counter("reconcile_errors_total", "Reconciles that ended in an error");
    this.#terminalErrors = counter(
      "terminal_reconcile_errors_total",
      "Reconciles that failed without a retry",
    );
    this.#panics = counter("reconcile_panics_total", "Reconcilers that threw something other than an Error");
    this.#timeouts = counter("reconcile_timeouts_total", "Reconciles that ran into the controller's timeout");
    this.#time = new HotHistogram({
      name: "controller_runtime_reconcile_time_seconds",
      help: "Time one reconcile took",
      labelNames,
      buckets: reconcileBuckets,
      registry,
    });
    this.#maxConcurrent = gauge("max_concurrent_reconciles", "Workers a controller may run at once");
    this.#activeWorkers = gauge("active_workers", "Workers that are reconciling now");
  }

  /** Metrics of one controller, all of them present from the start so that a rate has a zero to begin at. */
  of(controller: string, concurrency: number): ControllerMetricsOf {
    const success = this.#total.labels({ controller, result: "success" });
    const error = this.#total.labels({ controller, result: "error" });
    const requeue = this.#total.labels({ controller, result: "requeue" });
    const requeueAfter = this.#total.labels({ controller, result: "requeue_after" });
    const errors = this.#errors.labels({ controller });
    const terminalErrors = this.#terminalErrors.labels({ controller });
    const panics = this.#panics.labels({ controller });
    const timeouts = this.#timeouts.labels({ controller });
    const time = this.#time.labels({ controller });
    const activeWorkers = this.#activeWorkers.labels({ controller });
    this.#maxConcurrent.labels({ controller }).inc(concurrency);
    return {
      success: () => success.inc(),
      requeueAfter: () => requeueAfter.inc(),
      requeue: () => requeue.inc(),
      error: () => {
        errors.inc();
        error.inc();
      },
      terminalError: () => terminalErrors.inc(),
      panic: () => panics.inc(),
      timeout: () => timeouts.inc(),
      duration: (seconds) => time.observe(seconds),
      workers: (change) => activeWorkers.inc(change),
    };
  }
}

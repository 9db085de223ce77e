import { Counter, Gauge, Histogram, type Registry } from "prom-client";

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
  readonly #total: Counter<"controller" | "result">;
  readonly #errors: Counter<"controller">;
  readonly #terminalErrors: Counter<"controller">;
  readonly #panics: Counter<"controller">;
  readonly #timeouts: Counter<"controller">;
  readonly #time: Histogram<"controller">;
  readonly #maxConcurrent: Gauge<"controller">;
  readonly #activeWorkers: Gauge<"controller">;

  constructor(registry: Registry) {
    const registers = [registry];
    const labelNames = ["controller"] as const;
    const counter = (name: string, help: string): Counter<"controller"> =>
      new Counter({ name: `controller_runtime_${name}`, help, labelNames, registers });
    const gauge = (name: string, help: string): Gauge<"controller"> =>
      new Gauge({ name: `controller_runtime_${name}`, help, labelNames, registers });
    this.#total = new Counter({
      name: "controller_runtime_reconcile_total",
      help: "Reconciles by controller and result: success, error, requeue or requeue_after",
      labelNames: ["controller", "result"] as const,
      registers,
    });
    this.#errors = counter("reconcile_errors_total", "Reconciles that ended in an error");
    this.#terminalErrors = counter(
      "terminal_reconcile_errors_total",
      "Reconciles that failed without a retry",
    );
    this.#panics = counter("reconcile_panics_total", "Reconcilers that threw something other than an Error");
    this.#timeouts = counter("reconcile_timeouts_total", "Reconciles that ran into the controller's timeout");
    this.#time = new Histogram({
      name: "controller_runtime_reconcile_time_seconds",
      help: "Time one reconcile took",
      labelNames,
      buckets: reconcileBuckets,
      registers,
    });
    this.#maxConcurrent = gauge("max_concurrent_reconciles", "Workers a controller may run at once");
    this.#activeWorkers = gauge("active_workers", "Workers that are reconciling now");
  }

  /** Metrics of one controller, all of them present from the start so that a rate has a zero to begin at. */
  of(controller: string, concurrency: number): ControllerMetricsOf {
    const total = (result: string): { inc(): void } => {
      const child = this.#total.labels({ controller, result });
      child.inc(0);
      return child;
    };
    const started = (counter: Counter<"controller">): { inc(): void } => {
      const child = counter.labels({ controller });
      child.inc(0);
      return child;
    };
    const success = total("success");
    const error = total("error");
    const requeue = total("requeue");
    const requeueAfter = total("requeue_after");
    const errors = started(this.#errors);
    const terminalErrors = started(this.#terminalErrors);
    const panics = started(this.#panics);
    const timeouts = started(this.#timeouts);
    const time = this.#time.labels({ controller });
    const activeWorkers = this.#activeWorkers.labels({ controller });
    activeWorkers.set(0);
    this.#maxConcurrent.labels({ controller }).set(concurrency);
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

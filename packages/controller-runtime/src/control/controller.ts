import { randomUUID } from "node:crypto";
import type { Clock } from "../clock/clock.ts";
import type { Logger } from "../kubernetes/logger.ts";
import type { KubeObject, ObjectKey } from "../kubernetes/objects.ts";
import { keyString, parseKey } from "../kubernetes/resource-type.ts";
import type { Tracer } from "../kubernetes/tracer.ts";
import type { ControllerMetricsOf } from "../metrics/controller-metrics.ts";
import { isConflict } from "../transport/api-error.ts";
import type { ReconcileContext } from "./definition.ts";
import { withFields } from "./logger-fields.ts";
import {
  type Outcome,
  outcomeOfResult,
  outcomeOfThrown,
  type ReconcileResult,
  ReconcileTimeoutError,
} from "./outcome.ts";
import type { ObjectChange, Predicate } from "./predicate.ts";
import type { WorkQueue } from "./queue/work-queue.ts";
import { lowPriority, type TakenItem } from "./queue/work-queue-state.ts";

/** How long a worker may go on without letting sockets and timers run. */
const sliceMs = 4;

export interface ControllerParts {
  readonly name: string;
  readonly concurrency: number;
  readonly reconcileTimeoutMs?: number | undefined;
  readonly queue: WorkQueue<string>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tracer?: Tracer | undefined;
  readonly metrics: ControllerMetricsOf;
  /** Everything of the context but what belongs to one reconcile. */
  readonly context: Omit<ReconcileContext, "logger" | "signal">;
  // biome-ignore lint/suspicious/noConfusingVoidType: mirrors ControllerDefinition
  reconcile(key: ObjectKey, context: ReconcileContext): Promise<ReconcileResult | void>;
}

/** Takes keys from its queue and reconciles them; what each outcome means is decided in one place. */
export class Controller {
  readonly name: string;
  readonly #parts: ControllerParts;
  /** Aborts reconciles that are under way, when the process gives up waiting for them. */
  readonly #abort = new AbortController();
  #workers: Promise<void>[] = [];

  constructor(parts: ControllerParts) {
    this.name = parts.name;
    this.#parts = parts;
  }

  /** Queues what a change of a watched object makes necessary; initial objects behind live ones. */
  enqueue<T extends KubeObject>(
    change: ObjectChange<T>,
    map: (object: T) => readonly ObjectKey[],
    predicate: Predicate<T> | undefined,
  ): void {
    if (predicate !== undefined && !predicate(change)) return;
    const options = change.kind === "added" && change.isInitial ? { priority: lowPriority } : undefined;
    for (const key of map(change.object)) this.#parts.queue.add(keyString(key), options);
    if (change.kind !== "updated") return;
    for (const key of map(change.old)) this.#parts.queue.add(keyString(key), options);
  }

  enqueueKey(key: ObjectKey): void {
    this.#parts.queue.add(keyString(key));
  }

  /** Starts the workers. */
  start(): void {
    if (this.#workers.length > 0) return;
    this.#workers = Array.from({ length: this.#parts.concurrency }, () => this.#work());
  }

  /** Takes no more keys; resolves when the reconciles under way have ended. */
  async drain(): Promise<void> {
    await this.#parts.queue.shutDown();
    await Promise.all(this.#workers);
  }

  /** Aborts the signal of reconciles under way. */
  abort(reason: Error): void {
    this.#abort.abort(reason);
  }

  async #work(): Promise<void> {
    const { queue, clock, metrics, tracer } = this.#parts;
    let sliceEnd = clock.monotonicNow() + sliceMs;
    for (;;) {
      const item = queue.tryTake() ?? (await queue.take());
      if (item === undefined) return;
      const startedAt = clock.monotonicNow();
      metrics.workers(1);
      const context = new OneReconcile(this.#parts, item.key, this.#abort.signal);
      const outcome =
        tracer === undefined ? await this.#run(context) : await this.#runTraced(tracer, item, context);
      const endedAt = clock.monotonicNow();
      metrics.workers(-1);
      metrics.duration((endedAt - startedAt) / 1000);
      this.#settle(item, outcome, context);
      // Last, because until then the key stays locked: what was queued above waits for this.
      queue.done(item.key);
      if (endedAt < sliceEnd) continue;
      await new Promise((resolve) => setImmediate(resolve));
      sliceEnd = clock.monotonicNow() + sliceMs;
    }
  }

  /** Every way a reconcile can end, with what happens to the key and which metric moves. */
  #settle(item: TakenItem<string>, outcome: Outcome, context: OneReconcile): void {
    const { queue, metrics } = this.#parts;
    const { key, priority } = item;
    switch (outcome.kind) {
      case "success":
        queue.forget(key);
        metrics.success();
        break;
      case "requeueAfter":
        // Forgotten first: a wish for another look is not a failure and must not lengthen the next back-off.
        queue.forget(key);
        queue.add(key, { afterMs: outcome.afterMs, priority });
        metrics.requeueAfter();
        break;
      case "requeue":
        queue.addFailed(key, { priority });
        metrics.requeue();
        break;
      case "error":
        queue.addFailed(key, { priority });
        metrics.error();
        this.#logFailure(outcome.error, context, "reconcile failed, will retry");
        break;
      case "terminal":
        queue.forget(key);
        metrics.terminalError();
        metrics.error();
        context.logger.error({ err: outcome.error }, "reconcile failed, not retried until something changes");
        break;
      case "panic":
        queue.addFailed(key, { priority });
        metrics.panic();
        metrics.error();
        context.logger.error({ err: outcome.error }, "reconciler threw a non-Error, will retry");
        break;
      default:
        outcome satisfies never;
    }
  }

  #logFailure(error: Error, context: OneReconcile, message: string): void {
    const fields = { err: error, failures: this.#parts.queue.failuresOf(context.keyString) };
    // A conflict means somebody else wrote first; the retry reads what they wrote.
    if (isConflict(error)) context.logger.info(fields, "reconcile met a conflict, will retry");
    else context.logger.error(fields, message);
  }

  #runTraced(tracer: Tracer, item: TakenItem<string>, context: OneReconcile): Promise<Outcome> {
    const { namespace, name } = parseKey(item.key);
    const attributes = {
      "k8s.controller": this.name,
      "k8s.namespace.name": namespace,
      "k8s.object.name": name,
      "k8s.reconcile.id": context.reconcileID,
      "k8s.reconcile.failures": this.#parts.queue.failuresOf(item.key),
    };
    return tracer.trace(`reconcile ${this.name}`, { attributes }, async (span) => {
      const outcome = await this.#run(context);
      span.set("k8s.reconcile.result", outcome.kind);
      if ("error" in outcome) span.fail(outcome.error);
      return outcome;
    });
  }

  async #run(context: OneReconcile): Promise<Outcome> {
    const { reconcileTimeoutMs, clock, metrics } = this.#parts;
    const timer =
      reconcileTimeoutMs === undefined
        ? undefined
        : clock.setTimeout(
            () => context.abort(new ReconcileTimeoutError(this.name, reconcileTimeoutMs)),
            reconcileTimeoutMs,
          );
    try {
      return outcomeOfResult(await this.#parts.reconcile(parseKey(context.keyString), context));
    } catch (thrown) {
      if (context.timedOut) metrics.timeout();
      return outcomeOfThrown(thrown);
    } finally {
      if (timer !== undefined) clock.clearTimeout(timer);
    }
  }
}

/** The context of one reconcile. Logger and signal are made when asked for: most reconciles need neither. */
class OneReconcile implements ReconcileContext {
  readonly keyString: string;
  readonly #parts: ControllerParts;
  readonly #outerSignal: AbortSignal;
  #logger: Logger | undefined;
  #reconcileID: string | undefined;
  #ownAbort: AbortController | undefined;
  #signal: AbortSignal | undefined;

  constructor(parts: ControllerParts, key: string, outerSignal: AbortSignal) {
    this.#parts = parts;
    this.keyString = key;
    this.#outerSignal = outerSignal;
    if (parts.reconcileTimeoutMs !== undefined) this.#ownAbort = new AbortController();
  }

  get client(): ReconcileContext["client"] {
    return this.#parts.context.client;
  }

  get events(): ReconcileContext["events"] {
    return this.#parts.context.events;
  }

  get leadershipGuard(): ReconcileContext["leadershipGuard"] {
    return this.#parts.context.leadershipGuard;
  }

  get get(): ReconcileContext["get"] {
    return this.#parts.context.get;
  }

  get list(): ReconcileContext["list"] {
    return this.#parts.context.list;
  }

  get logger(): Logger {
    this.#logger ??= withFields(this.#parts.logger, {
      controller: this.#parts.name,
      ...parseKey(this.keyString),
      reconcileID: this.reconcileID,
    });
    return this.#logger;
  }

  get reconcileID(): string {
    this.#reconcileID ??= randomUUID();
    return this.#reconcileID;
  }

  get signal(): AbortSignal {
    if (this.#ownAbort === undefined) return this.#outerSignal;
    this.#signal ??= AbortSignal.any([this.#outerSignal, this.#ownAbort.signal]);
    return this.#signal;
  }

  get timedOut(): boolean {
    return this.#ownAbort?.signal.aborted ?? false;
  }

  abort(reason: Error): void {
    this.#ownAbort?.abort(reason);
  }
}

import { TokenBucket } from "../control/queue/rate-limit.ts";
import type { ObjectReference } from "../kubernetes/objects.ts";
import { BoundedMap } from "./bounded-map.ts";

/** What a reconciler tells. Texts longer than the API accepts are cut. */
export interface EventInput {
  readonly type: "Normal" | "Warning";
  /** CamelCase: why, for machines. At most 128 bytes. */
  readonly reason: string;
  /** What was done or attempted, CamelCase. At most 128 bytes. */
  readonly action: string;
  /** For people. At most 1024 bytes. */
  readonly note: string;
  readonly related?: ObjectReference;
  /**
   * Which of several occasions it is about, where each deserves an Event of its own: a step, somebody's act. Without it, what
   * has the same reason and action is one occasion that repeats.
   */
  readonly occasion?: string;
}

export interface CorrelatorLimits {
  /** Events about one object at once. Default 25. */
  readonly burstPerObject: number;
  /** Milliseconds until an object may have one more. Default 300,000. */
  readonly refillMs: number;
  /** Objects and series remembered; the least recently used go first. Default 4096. */
  readonly remembered: number;
  /** A series without a new occurrence for this long is over. Default 360,000 ms. */
  readonly seriesEndsAfterMs: number;
  /** Least time between two updates of a series; doubles up to `refillMs`. Default 10,000 ms. */
  readonly seriesUpdateMs: number;
}

export const defaultCorrelatorLimits: CorrelatorLimits = {
  burstPerObject: 25,
  refillMs: 300_000,
  remembered: 4096,
  seriesEndsAfterMs: 360_000,
  seriesUpdateMs: 10_000,
};

/** An event that occurs again and again, as far as it was told to the API server. */
export interface Series {
  readonly key: string;
  /** Namespace and name of the Event on the server; undefined until it was created. */
  eventName: { namespace: string; name: string } | undefined;
  count: number;
  lastAt: number;
  /** Wall-clock milliseconds of the last occurrence. */
  lastAtWall: number;
  /** Count the server was told. */
  toldCount: number;
  nextUpdateAt: number;
  updateEveryMs: number;
}

/** What to do about an occurrence. `updateAt` is monotonic milliseconds. */
export type EventDecision =
  | { readonly kind: "create"; readonly series: Series }
  | { readonly kind: "update"; readonly series: Series; readonly updateAt: number }
  | { readonly kind: "counted" }
  | { readonly kind: "discard" };

/**
 * Decides, without I/O, what of a stream of events reaches the API server: the first of a kind as an Event, its
 * repetitions as that Event's series, told less and less often, and no more than a few new ones per object (the
 * figures are those of client-go's spam filter). Its memory is bounded.
 */
export class EventCorrelator {
  readonly #limits: CorrelatorLimits;
  readonly #series: BoundedMap<string, Series>;
  readonly #buckets: BoundedMap<string, TokenBucket>;

  constructor(limits: Partial<CorrelatorLimits> = {}) {
    this.#limits = { ...defaultCorrelatorLimits, ...limits };
    this.#series = new BoundedMap(this.#limits.remembered);
    this.#buckets = new BoundedMap(this.#limits.remembered);
  }

  /** Entries held, for tests that watch for growth. */
  get size(): { series: number; objects: number } {
    return { series: this.#series.size, objects: this.#buckets.size };
  }

  occurred(
    controller: string,
    regarding: ObjectReference,
    input: EventInput,
    nowMs: number,
    wallMs: number,
  ): EventDecision {
    const key = seriesKey(controller, regarding, input);
    const known = this.#series.get(key);
    if (known !== undefined && nowMs - known.lastAt <= this.#limits.seriesEndsAfterMs) {
      return this.#repeated(known, nowMs, wallMs);
    }
    if (!this.#bucketOf(controller, regarding, nowMs).tryTake(nowMs)) return { kind: "discard" };
    const series: Series = {
      key,
      eventName: undefined,
      count: 1,
      lastAt: nowMs,
      lastAtWall: wallMs,
      toldCount: 1,
      nextUpdateAt: nowMs,
      updateEveryMs: this.#limits.seriesUpdateMs,
    };
    this.#series.set(key, series);
    return { kind: "create", series };
  }

  /** The series' count is being sent: schedules when the next change may be. */
  updating(series: Series, nowMs: number): void {
    series.toldCount = series.count;
    series.nextUpdateAt = nowMs + series.updateEveryMs;
    series.updateEveryMs = Math.min(series.updateEveryMs * 2, this.#limits.refillMs);
  }

  /** The server does not have its Event (any more): the next occurrence makes a new one. */
  forget(series: Series): void {
    this.#series.delete(series.key);
  }

  #repeated(series: Series, nowMs: number, wallMs: number): EventDecision {
    const isScheduled = series.toldCount < series.count;
    series.count++;
    series.lastAt = nowMs;
    series.lastAtWall = wallMs;
    if (isScheduled) return { kind: "counted" };
    return { kind: "update", series, updateAt: Math.max(nowMs, series.nextUpdateAt) };
  }

  #bucketOf(controller: string, regarding: ObjectReference, nowMs: number): TokenBucket {
    // One that is deleted and made again under its name is still the same object to a person who reads Events.
    const { uid: _, ...named } = regarding;
    const key = JSON.stringify([controller, referenceKey(named)]);
    const known = this.#buckets.get(key);
    if (known !== undefined) return known;
    const bucket = new TokenBucket(1000 / this.#limits.refillMs, this.#limits.burstPerObject, nowMs);
    this.#buckets.set(key, bucket);
    return bucket;
  }
}

/** Repetitions differ in their note only (client-go's `eventKey`), and are of one occasion. */
function seriesKey(controller: string, regarding: ObjectReference, input: EventInput): string {
  const related = input.related === undefined ? "" : referenceKey(input.related);
  return JSON.stringify([
    controller,
    input.type,
    input.reason,
    input.action,
    referenceKey(regarding),
    related,
    input.occasion ?? "",
  ]);
}

function referenceKey(reference: ObjectReference): string {
  const { apiVersion, kind, namespace, name, uid, fieldPath } = reference;
  return JSON.stringify([apiVersion, kind, namespace, name, uid, fieldPath]);
}

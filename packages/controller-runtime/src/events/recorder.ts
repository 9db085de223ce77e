import { randomBytes } from "node:crypto";
import type { Clock, TimerHandle } from "../clock/clock.ts";
import { LeadershipLostError } from "../election/guard.ts";
import { formatMicroTime } from "../election/micro-time.ts";
import type { Logger } from "../kubernetes/logger.ts";
import type { KubeObject, ObjectReference } from "../kubernetes/objects.ts";
import { Event } from "../kubernetes/resources.ts";
import { ApiError, isAlreadyExists, isNotFound } from "../transport/api-error.ts";
import type { Client } from "../transport/client.ts";
import { type CorrelatorLimits, EventCorrelator, type EventInput, type Series } from "./correlator.ts";

/** Tells people about an object. Returns at once and never throws; what cannot be sent is dropped. */
export interface EventRecorder {
  event(regarding: ObjectReference | KubeObject, input: EventInput): void;
}

export interface EventBroadcasterOptions {
  readonly client: Client;
  /** Which process: the `reportingInstance` of its Events. At most 128 bytes. */
  readonly instance: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits?: Partial<CorrelatorLimits>;
}

/** Events waiting to be sent; beyond, new ones are dropped (client-go's figure). */
const longestQueue = 1_000;
const attempts = 4;

/** Sends the Events of all controllers of a process, one after another, in the background. */
export class EventBroadcaster {
  readonly #options: EventBroadcasterOptions;
  readonly #correlator: EventCorrelator;
  readonly #queue: (() => Promise<void>)[] = [];
  readonly #timers = new Map<Series, TimerHandle>();
  #sending: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: EventBroadcasterOptions) {
    this.#options = options;
    this.#correlator = new EventCorrelator(options.limits);
  }

  /** The recorder of one controller; the name becomes the Events' `reportingController`. */
  recorderFor(controller: string): EventRecorder {
    return {
      event: (regarding, input) => {
        try {
          this.#record(controller, referenceTo(regarding), input);
        } catch (error) {
          this.#options.logger.warn({ err: error, controller }, "an event could not be recorded");
        }
      },
    };
  }

  /** Sends what is queued and the counts that are due later, then takes no more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const [series, timer] of this.#timers) {
      this.#options.clock.clearTimeout(timer);
      this.#enqueue(() => this.#update(series));
    }
    this.#timers.clear();
    await this.#sending;
  }

  #record(controller: string, regarding: ObjectReference, input: EventInput): void {
    if (this.#isClosed) return;
    const { clock } = this.#options;
    const now = clock.monotonicNow();
    const decision = this.#correlator.occurred(controller, regarding, input, now, clock.now());
    switch (decision.kind) {
      case "create": {
        const event = this.#compose(controller, regarding, input, clock.now());
        this.#enqueue(() => this.#create(decision.series, event));
        break;
      }
      case "update": {
        const { series } = decision;
        const send = (): void => {
          this.#timers.delete(series);
          this.#enqueue(() => this.#update(series));
        };
        if (decision.updateAt <= now) send();
        else this.#timers.set(series, clock.setTimeout(send, decision.updateAt - now));
        break;
      }
      case "counted":
        break;
      case "discard":
        this.#options.logger.debug(
          { controller, regarding, reason: input.reason },
          "event dropped: too many",
        );
        break;
      default:
        decision satisfies never;
    }
  }

  #enqueue(send: () => Promise<void>): void {
    if (this.#queue.length >= longestQueue) {
      this.#options.logger.debug({ waitingEvents: this.#queue.length }, "event dropped: the queue is full");
      return;
    }
    this.#queue.push(send);
    this.#sending ??= this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    for (let send = this.#queue.shift(); send !== undefined; send = this.#queue.shift()) {
      try {
        await send();
      } catch (error) {
        if (error instanceof LeadershipLostError) continue;
        this.#options.logger.warn({ err: error }, "an event could not be sent");
      }
    }
    this.#sending = undefined;
  }

  async #create(series: Series, event: Event): Promise<void> {
    try {
      await this.#withRetries(() => this.#options.client.create(Event, event));
      series.eventName = { namespace: event.metadata.namespace ?? "default", name: event.metadata.name };
    } catch (error) {
      this.#correlator.forget(series);
      throw error;
    }
  }

  async #update(series: Series): Promise<void> {
    const { eventName: key } = series;
    if (key === undefined) return;
    const { client, clock } = this.#options;
    this.#correlator.updating(series, clock.monotonicNow());
    const body = {
      series: { count: series.count, lastObservedTime: formatMicroTime(series.lastAtWall * 1000) },
    };
    try {
      await this.#withRetries(() => client.patch(Event, key, body, { type: "merge" }));
    } catch (error) {
      // Events live an hour or so on the server; a series may outlive its Event.
      this.#correlator.forget(series);
      if (!isNotFound(error)) throw error;
    }
  }

  async #withRetries(send: () => Promise<unknown>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await send();
        return;
      } catch (error) {
        if (isAlreadyExists(error)) return;
        const isRefused =
          error instanceof LeadershipLostError || (error instanceof ApiError && error.code < 500);
        if (isRefused || attempt >= attempts || this.#isClosed) throw error;
      }
      await new Promise<void>((resolve) => this.#options.clock.setTimeout(resolve, 500 * 2 ** attempt));
    }
  }

  #compose(controller: string, regarding: ObjectReference, input: EventInput, wallMs: number): Event {
    const namespace = regarding.namespace ?? "default";
    // Unique also between processes that tell of the same object within the same millisecond.
    const suffix = `.${wallMs.toString(16)}${randomBytes(4).toString("hex")}`;
    return {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: {
        name: `${(regarding.name ?? "unknown").slice(0, 253 - suffix.length)}${suffix}`,
        namespace,
      },
      eventTime: formatMicroTime(wallMs * 1000),
      reportingController: cutBytes(controller, 128),
      reportingInstance: cutBytes(this.#options.instance, 128),
      type: input.type,
      reason: cutBytes(input.reason, 128),
      action: cutBytes(input.action, 128),
      note: cutBytes(input.note, 1024),
      regarding,
      ...(input.related === undefined ? {} : { related: input.related }),
    };
  }
}

/** The reference an Event carries for an object. */
export function referenceTo(object: ObjectReference | KubeObject): ObjectReference {
  if (!isObject(object)) return object;
  const { apiVersion, kind, metadata } = object;
  const { name, namespace, uid, resourceVersion } = metadata;
  return {
    apiVersion,
    kind,
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
}

function isObject(object: ObjectReference | KubeObject): object is KubeObject {
  return "metadata" in object;
}

/** Cuts text to so many UTF-8 bytes at a character's border; an ellipsis shows that something is missing. */
export function cutBytes(text: string, longest: number): string {
  if (Buffer.byteLength(text) <= longest) return text;
  const bytes = Buffer.from(text);
  let end = longest - 3;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return `${bytes.subarray(0, end).toString()}…`;
}

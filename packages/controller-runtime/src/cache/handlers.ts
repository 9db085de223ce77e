import type { Logger } from "../kubernetes/logger.ts";
import type { KubeObject } from "../kubernetes/objects.ts";
import { keyOf } from "../kubernetes/resource-type.ts";
import type { Delta } from "./delta.ts";
import { deepFreeze } from "./freeze.ts";

/** What a cache tells. Calls come in order, one at a time; objects are deeply frozen. */
export interface InformerHandler<T extends KubeObject> {
  /** `isInitial`: the object was there before the cache (or this handler) was, so nothing has happened to it. */
  added?(object: T, isInitial: boolean): void;
  updated?(old: T, object: T): void;
  /** `isLastStateKnown` is false when the deletion was found by listing: `last` is then the last state seen. */
  deleted?(last: T, isLastStateKnown: boolean): void;
}

/** The handlers of one informer. One that throws is logged and counted, and disturbs nobody else. */
export class HandlerSet<T extends KubeObject> {
  readonly #handlers = new Set<InformerHandler<T>>();
  readonly #logger: Logger;
  readonly #onFailure: () => void;

  constructor(logger: Logger, onFailure: () => void) {
    this.#logger = logger;
    this.#onFailure = onFailure;
  }

  /** Adds a handler after telling it of `existing` objects. Returns what removes it. */
  add(handler: InformerHandler<T>, existing: Iterable<T>): () => void {
    const own: InformerHandler<T> = {
      // a copy, so that the same handler object may be added twice and removed once
      added: (object, isInitial) => handler.added?.(object, isInitial),
      updated: (old, object) => handler.updated?.(old, object),
      deleted: (last, isLastStateKnown) => handler.deleted?.(last, isLastStateKnown),
    };
    for (const object of existing) this.#call(own, { type: "added", object }, true);
    this.#handlers.add(own);
    return () => {
      this.#handlers.delete(own);
    };
  }

  deliver(deltas: readonly Delta<T>[], isInitial: boolean): void {
    if (this.#handlers.size === 0) return;
    for (const delta of deltas) {
      for (const handler of this.#handlers) this.#call(handler, delta, isInitial);
    }
  }

  #call(handler: InformerHandler<T>, delta: Delta<T>, isInitial: boolean): void {
    try {
      const returned: unknown = callHandler(handler, delta, isInitial);
      if (returned instanceof Promise) returned.catch((error: unknown) => this.#failed(error, delta));
    } catch (error) {
      this.#failed(error, delta);
    }
  }

  #failed(error: unknown, delta: Delta<T>): void {
    this.#onFailure();
    const object = delta.type === "deleted" ? delta.last : delta.object;
    this.#logger.error(
      { err: error, event: delta.type, object: keyOf(object) },
      "an informer's handler threw",
    );
  }
}

function callHandler<T extends KubeObject>(
  handler: InformerHandler<T>,
  delta: Delta<T>,
  isInitial: boolean,
): unknown {
  switch (delta.type) {
    case "added":
      return handler.added?.(deepFreeze(delta.object), isInitial);
    case "updated":
      return handler.updated?.(deepFreeze(delta.old), deepFreeze(delta.object));
    case "deleted":
      return handler.deleted?.(deepFreeze(delta.last), delta.isLastStateKnown);
    default:
      return delta satisfies never;
  }
}

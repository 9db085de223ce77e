import type { LeadershipGuard } from "../election/guard.ts";
import type { EventRecorder } from "../events/recorder.ts";
import type { Logger } from "../kubernetes/logger.ts";
import type { KubeObject, ObjectKey } from "../kubernetes/objects.ts";
import type { ResourceType } from "../kubernetes/resource-type.ts";
import type { Client } from "../transport/client.ts";
import type { ReconcileResult } from "./outcome.ts";
import type { Predicate } from "./predicate.ts";
import type { RetryPolicy } from "./queue/rate-limit.ts";
import type { SharedInformerOptions } from "./shared-informers.ts";

/** A type together with which of its objects to watch. */
export interface WatchedType<T extends KubeObject = KubeObject> extends SharedInformerOptions<T> {
  readonly type: ResourceType<T>;
  readonly predicate?: Predicate<T>;
}

/** Another type whose changes cause reconciles, and of what. */
export interface WatchDefinition<T extends KubeObject = KubeObject> extends WatchedType<T> {
  /** The keys to reconcile when this object changed. Called for the old and the new object of an update. */
  map(object: T): readonly ObjectKey[];
}

/** What a reconciler is given besides the key. */
export interface ReconcileContext {
  /** Writes throw `LeadershipLostError` once the lease may have lapsed. */
  readonly client: Client;
  /** Carries the controller's name, the key and an id of this reconcile. */
  readonly logger: Logger;
  /** Aborted when the reconcile timed out or the process gives up. */
  readonly signal: AbortSignal;
  readonly events: EventRecorder;
  readonly leadershipGuard: LeadershipGuard;
  /** The object from the cache, frozen; undefined when it does not exist. Throws `NotWatchedError`. */
  get<T extends KubeObject>(type: ResourceType<T>, key: ObjectKey): T | undefined;
  /** All cached objects of a type, frozen. Throws `NotWatchedError`. */
  list<T extends KubeObject>(type: ResourceType<T>, options?: { readonly namespace?: string }): T[];
}

/**
 * A controller: which objects it is about, what else it watches, and how it brings one object's world in line.
 * `reconcile` is told a key and never an event; it must be able to start from nothing but what it observes.
 */
export interface ControllerDefinition<T extends KubeObject = KubeObject> {
  /** Appears in metrics, logs and as the events' reporting controller. */
  readonly name: string;
  /** The type whose objects are reconciled, each under its own key. */
  readonly for: ResourceType<T> | WatchedType<T>;
  /** Types whose objects name an object of `for` as their controller owner. */
  readonly owns?: readonly (ResourceType | WatchedType)[];
  readonly watches?: readonly WatchDefinition[];
  /** Causes other than changes of objects. Each is called once, with what queues a key. */
  readonly sources?: readonly ((enqueue: (key: ObjectKey) => void) => void)[];
  /** Keys reconciled at once; never the same one twice. Default 1. */
  readonly concurrency?: number;
  /** After this many milliseconds the reconcile's signal is aborted. Default: no limit. */
  readonly reconcileTimeoutMs?: number;
  /** How long the caches may take to fill, milliseconds, before the manager gives up. Default 120,000. */
  readonly cacheSyncTimeoutMs?: number;
  /** Back-off of failing keys. Default 5 ms doubling to 1000 s, 10 per second beyond 100 at once. */
  readonly retry?: RetryPolicy;
  /** Whether only the leader runs it. Default true. */
  readonly needsLeadership?: boolean;
  // biome-ignore lint/suspicious/noConfusingVoidType: a reconciler that returns nothing is the common case
  reconcile(key: ObjectKey, context: ReconcileContext): Promise<ReconcileResult | void>;
}

/** Checks a definition and returns it; gives the object literal its types. Throws `TypeError`. */
export function defineController<T extends KubeObject>(
  definition: ControllerDefinition<T>,
): ControllerDefinition<T> {
  if (!/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(definition.name)) {
    throw new TypeError(
      `controller name "${definition.name}" is not usable: use lower-case letters, digits and dashes`,
    );
  }
  const { concurrency = 1 } = definition;
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new TypeError(`controller "${definition.name}": concurrency must be a whole number of at least 1`);
  }
  return definition;
}

/** Gives one element of `watches` its types: `watch({ type: Pod, map: (pod) => … })`. */
export function watch<T extends KubeObject>(definition: WatchDefinition<T>): WatchDefinition {
  return definition as unknown as WatchDefinition;
}

/** Accepts a bare type where a type with options is meant. */
export function toWatchedType<T extends KubeObject>(
  watched: ResourceType<T> | WatchedType<T>,
): WatchedType<T> {
  return "type" in watched ? watched : { type: watched };
}

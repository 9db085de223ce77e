import type { Informer } from "../cache/informer.ts";
import type { Clock } from "../clock/clock.ts";
import type { LeadershipGuard } from "../election/guard.ts";
import type { EventRecorder } from "../events/recorder.ts";
import type { Logger } from "../kubernetes/logger.ts";
import type { KubeObject, ObjectKey } from "../kubernetes/objects.ts";
import { keyString, type ResourceType, resourceTypeKey } from "../kubernetes/resource-type.ts";
import type { Tracer } from "../kubernetes/tracer.ts";
import type { ManagerMetrics } from "../metrics/manager-metrics.ts";
import type { Client } from "../transport/client.ts";
import { Controller } from "./controller.ts";
import { type ControllerDefinition, toWatchedType, type WatchedType } from "./definition.ts";
import { enqueueOwner } from "./owner.ts";
import { WorkQueue } from "./queue/work-queue.ts";
import { NotWatchedError, type SharedInformers } from "./shared-informers.ts";

export interface ControllerSurroundings {
  readonly client: Client;
  readonly guard: LeadershipGuard;
  readonly informers: SharedInformers;
  readonly events: EventRecorder;
  readonly metrics: ManagerMetrics;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tracer?: Tracer | undefined;
}

/** Makes a controller from its definition and connects it to the caches. */
export function buildController<T extends KubeObject>(
  definition: ControllerDefinition<T>,
  surroundings: ControllerSurroundings,
): Controller {
  const { informers, metrics, clock, logger, client, guard, events } = surroundings;
  const { name, concurrency = 1, reconcileTimeoutMs } = definition;
  const reads = new CacheReads(informers);
  const controller = new Controller({
    name,
    concurrency,
    reconcileTimeoutMs,
    queue: new WorkQueue<string>({
      name,
      clock,
      metrics: metrics.workQueues,
      ...(definition.retry === undefined ? {} : { retry: definition.retry }),
    }),
    clock,
    logger,
    tracer: surroundings.tracer,
    metrics: metrics.controllers.of(name, concurrency),
    context: { client, events, leadershipGuard: guard, get: reads.get, list: reads.list },
    reconcile: (key, context) => definition.reconcile(key, context),
  });
  const connect = <W extends KubeObject>(
    watched: WatchedType<W>,
    map: (object: W) => readonly ObjectKey[],
  ): void => {
    const { type, predicate, namespace, labelSelector, fieldSelector, metadataOnly } = watched;
    const { keepManagedFieldsOf, transform, indexers } = watched;
    const options = {
      namespace,
      labelSelector,
      fieldSelector,
      metadataOnly,
      keepManagedFieldsOf,
      transform,
      indexers,
    };
    const informer = informers.of(type, options);
    reads.prefer(informer);
    informer.on({
      added: (object, isInitial) => controller.enqueue({ kind: "added", object, isInitial }, map, predicate),
      updated: (old, object) => controller.enqueue({ kind: "updated", object, old }, map, predicate),
      deleted: (object) => controller.enqueue({ kind: "deleted", object }, map, predicate),
    });
  };
  const main = toWatchedType(definition.for);
  connect(main, keyOfObject);
  for (const owned of definition.owns ?? []) connect(toWatchedType(owned), enqueueOwner(main.type));
  for (const watched of definition.watches ?? []) connect(watched, (object) => watched.map(object));
  for (const source of definition.sources ?? []) source((key) => controller.enqueueKey(key));
  return controller;
}

function keyOfObject(object: KubeObject): readonly ObjectKey[] {
  const { name, namespace } = object.metadata;
  return [namespace === undefined ? { name } : { namespace, name }];
}

/** Reads of a reconciler: from the controller's own caches first, then from any cache of the type. */
class CacheReads {
  readonly #informers: SharedInformers;
  readonly #preferred: Informer[] = [];

  constructor(informers: SharedInformers) {
    this.#informers = informers;
  }

  prefer<T extends KubeObject>(informer: Informer<T>): void {
    this.#preferred.push(informer as unknown as Informer);
  }

  readonly get = <T extends KubeObject>(type: ResourceType<T>, key: ObjectKey): T | undefined => {
    const storeKey = keyString(key);
    for (const informer of this.#informersOf(type)) {
      const object = informer.store.get(storeKey);
      if (object !== undefined) return object;
    }
    return undefined;
  };

  readonly list = <T extends KubeObject>(
    type: ResourceType<T>,
    options: { readonly namespace?: string } = {},
  ): T[] => {
    const informers = this.#informersOf(type);
    const first = informers[0]?.store.list() ?? [];
    const objects = informers.length === 1 ? first : mergeByKey(informers);
    const { namespace } = options;
    return namespace === undefined
      ? objects
      : objects.filter((object) => object.metadata.namespace === namespace);
  };

  #informersOf<T extends KubeObject>(type: ResourceType<T>): Informer<T>[] {
    const typeKey = resourceTypeKey(type);
    const own = this.#preferred.filter((informer) => resourceTypeKey(informer.type) === typeKey);
    const informers = own.length > 0 ? (own as unknown as Informer<T>[]) : this.#informers.ofType(type);
    if (informers.length === 0) throw new NotWatchedError(type);
    return informers;
  }
}

function mergeByKey<T extends KubeObject>(informers: readonly Informer<T>[]): T[] {
  const byKey = new Map<string, T>();
  for (const { store } of informers) {
    for (const key of store.keys()) {
      const object = store.get(key);
      if (object !== undefined && !byKey.has(key)) byKey.set(key, object);
    }
  }
  return [...byKey.values()];
}

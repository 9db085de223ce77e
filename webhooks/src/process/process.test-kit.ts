import type { Informer, KubeObject } from "@shieldx/controller-runtime";

export const request = { verb: "get", resource: "test" };
export const settle = () => new Promise((done) => setImmediate(done));

/** A cache without an API server: handlers and a store, as far as the loaders use them. */
export function fakeInformer<T extends KubeObject>() {
  const objects = new Map<string, T>();
  const handlers: Parameters<Informer<T>["on"]>[0][] = [];
  const informer = {
    hasSynced: true,
    on: (handler: (typeof handlers)[number]) => handlers.push(handler),
    store: { list: () => [...objects.values()], get: (name: string) => objects.get(name) },
  };
  return {
    informer: informer as unknown as Informer<T>,
    set(object: T) {
      const before = objects.get(object.metadata.name);
      objects.set(object.metadata.name, object);
      for (const handler of handlers) {
        if (before === undefined) handler.added?.(object, false);
        else handler.updated?.(before, object);
      }
    },
    remove(name: string) {
      const last = objects.get(name);
      objects.delete(name);
      for (const handler of handlers) if (last !== undefined) handler.deleted?.(last, false);
    },
    sync: (hasSynced: boolean) => Object.assign(informer, { hasSynced }),
  };
}

import type { KubeObject } from "../kubernetes/objects.ts";
import { keyOf } from "../kubernetes/resource-type.ts";
import type { Delta } from "./delta.ts";
import { deepFreeze } from "./freeze.ts";

/** What controllers read of a cache. Objects are deeply frozen and shared: copy before changing. */
export interface Store<T extends KubeObject> {
  /** @param key `namespace/name`, or `name` for cluster-scoped types */
  get(key: string): T | undefined;
  has(key: string): boolean;
  list(): T[];
  /** Objects whose indexer named this value. @throws RangeError when no indexer has that name */
  byIndex(name: string, value: string): T[];
  keys(): IterableIterator<string>;
  readonly size: number;
}

/** Functions that name the values an object is found under. */
export type Indexers<T extends KubeObject> = Readonly<Record<string, (object: T) => readonly string[]>>;

/**
 * The objects of one type by key, with indexes. Takes in what lists and watches bring and returns what changed;
 * does no I/O. Takes ownership of every object given to it.
 */
export class ObjectStore<T extends KubeObject> implements Store<T> {
  readonly #objects = new Map<string, T>();
  readonly #indexes: readonly StoreIndex<T>[];
  /** Keys met by the list under way; undefined when none is. */
  #listed: Set<string> | undefined;

  constructor(indexers: Indexers<T> = {}) {
    this.#indexes = Object.entries(indexers).map(([name, valuesOf]) => new StoreIndex(name, valuesOf));
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): T | undefined {
    const object = this.#objects.get(key);
    return object === undefined ? undefined : deepFreeze(object);
  }

  has(key: string): boolean {
    return this.#objects.has(key);
  }

  list(): T[] {
    const objects: T[] = [];
    for (const object of this.#objects.values()) objects.push(deepFreeze(object));
    return objects;
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  byIndex(name: string, value: string): T[] {
    const index = this.#indexes.find((candidate) => candidate.name === name);
    if (index === undefined) throw new RangeError(`the store has no index "${name}"`);
    const objects: T[] = [];
    for (const key of index.keysOf(value)) {
      const object = this.#objects.get(key);
      if (object !== undefined) objects.push(deepFreeze(object));
    }
    return objects;
  }

  /** A list begins: what it does not bring until {@link endList} has been deleted. A list begun before is void. */
  beginList(): void {
    this.#listed = this.#objects.size === 0 ? undefined : new Set(); // an empty store has nothing to lose
  }

  /** Items of one page. */
  offerPage(items: readonly T[], deltas: Delta<T>[]): void {
    for (const item of items) {
      this.#listed?.add(keyOf(item));
      this.put(item, deltas);
    }
  }

  /** The list is complete: whatever it did not bring is gone. */
  endList(deltas: Delta<T>[]): void {
    const listed = this.#listed;
    this.#listed = undefined;
    if (listed === undefined || listed.size === this.#objects.size) return; // each listed key is in the map
    for (const [key, last] of this.#objects) {
      if (listed.has(key)) continue;
      this.#delete(key, last);
      deltas.push({ type: "deleted", last, isLastStateKnown: false });
    }
  }

  /** An object as it is now. */
  put(object: T, deltas: Delta<T>[]): void {
    const key = keyOf(object);
    const old = this.#objects.get(key);
    if (old === undefined) {
      this.#objects.set(key, object);
      for (const index of this.#indexes) index.add(key, object);
      deltas.push({ type: "added", object });
      return;
    }
    if (old.metadata.uid !== object.metadata.uid) {
      this.#delete(key, old);
      deltas.push({ type: "deleted", last: old, isLastStateKnown: false });
      this.put(object, deltas);
      return;
    }
    if (old.metadata.resourceVersion === object.metadata.resourceVersion) return;
    this.#objects.set(key, object);
    for (const index of this.#indexes) index.replace(key, old, object);
    deltas.push({ type: "updated", old, object });
  }

  /** An object was deleted (or left the selector); `last` is its final state. */
  remove(last: T, deltas: Delta<T>[]): void {
    const key = keyOf(last);
    const held = this.#objects.get(key);
    // Another uid means a later object of that name is here already: the deletion of its predecessor is old news.
    if (held === undefined || held.metadata.uid !== last.metadata.uid) return;
    this.#delete(key, held);
    deltas.push({ type: "deleted", last, isLastStateKnown: true });
  }

  #delete(key: string, held: T): void {
    this.#objects.delete(key);
    for (const index of this.#indexes) index.remove(key, held);
  }
}

/** Keys by the values one indexer names. */
class StoreIndex<T extends KubeObject> {
  readonly name: string;
  readonly #valuesOf: (object: T) => readonly string[];
  readonly #keys = new Map<string, Set<string>>();

  constructor(name: string, valuesOf: (object: T) => readonly string[]) {
    this.name = name;
    this.#valuesOf = valuesOf;
  }

  keysOf(value: string): Iterable<string> {
    return this.#keys.get(value) ?? [];
  }

  add(key: string, object: T): void {
    for (const value of this.#valuesOf(object)) {
      const keys = this.#keys.get(value);
      if (keys === undefined) this.#keys.set(value, new Set([key]));
      else keys.add(key);
    }
  }

  remove(key: string, object: T): void {
    for (const value of this.#valuesOf(object)) {
      const keys = this.#keys.get(value);
      if (keys === undefined) continue;
      keys.delete(key);
      if (keys.size === 0) this.#keys.delete(value);
    }
  }

  replace(key: string, old: T, object: T): void {
    this.remove(key, old);
    this.add(key, object);
  }
}

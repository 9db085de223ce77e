import { metadataOf } from "../policy-set/match.ts";
import type { PlainObject } from "../rego/values.ts";

/** Own keys only, without a prototype: names come from whoever may create objects. */
type Dictionary<T> = Record<string, T>;
/** By group and version, kind, and name. */
type Kinds = Dictionary<Dictionary<Dictionary<unknown>>>;

/** What `data.inventory` is. */
export interface InventoryData {
  readonly cluster: Readonly<Kinds>;
  readonly namespace: Readonly<Dictionary<Kinds>>;
}

/** Objects of the cluster for policies in Rego, kept up to date one change at a time. */
export class Inventory {
  readonly #cluster: Kinds = dictionary();
  readonly #namespace: Dictionary<Kinds> = dictionary();
  /** Live, and never the same for long: see the README. */
  readonly data: InventoryData = Object.freeze({ cluster: this.#cluster, namespace: this.#namespace });
  /** With it as `inventory`, as policies see it below `data`. */
  readonly documents: PlainObject = Object.freeze({ inventory: this.data as unknown as PlainObject });
  /** How many keys a level has: counting them costs as much as it has. */
  readonly #counts = new WeakMap<object, number>();
  #revision = 0;
  #size = 0;

  /** Grows with every change. */
  get revision(): number {
    return this.#revision;
  }

  /** How many objects there are. */
  get size(): number {
    return this.#size;
  }

  /** An object as it is now. What has no apiVersion, kind or name is passed over. */
  put(object: unknown): void {
    const place = placeOf(object);
    if (place === undefined) return;
    const { namespace, groupVersion, kind, name } = place;
    const kinds = namespace === "" ? this.#cluster : this.#child(this.#namespace, namespace);
    const named = this.#child(this.#child(kinds, groupVersion), kind);
    if (!(name in named)) {
      this.#size++;
      this.#count(named, 1);
    }
    named[name] = withoutManagedFields(object as object);
    this.#revision++;
  }

  /** An object is gone; the state given need not be its last. Levels that hold nothing more go with it. */
  delete(object: unknown): void {
    const place = placeOf(object);
    if (place === undefined) return;
    const { namespace, groupVersion, kind, name } = place;
    const kinds = namespace === "" ? this.#cluster : this.#namespace[namespace];
    const versions = kinds?.[groupVersion];
    const named = versions?.[kind];
    if (kinds === undefined || versions === undefined || named === undefined || !(name in named)) return;
    this.#size--;
    this.#revision++;
    const isLast = this.#take(named, name) && this.#take(versions, kind) && this.#take(kinds, groupVersion);
    if (isLast && namespace !== "") this.#take(this.#namespace, namespace);
  }

  #child<T>(parent: Dictionary<Dictionary<T>>, key: string): Dictionary<T> {
    const known = parent[key];
    if (known !== undefined) return known;
    const made = dictionary<T>();
    parent[key] = made;
    this.#count(parent, 1);
    return made;
  }

  /** Adds to the number of keys, and returns what it comes to. */
  #count(level: object, by: number): number {
    const count = (this.#counts.get(level) ?? 0) + by;
    this.#counts.set(level, count);
    return count;
  }

  /** Takes a key out of a level and says whether it was the last. */
  #take(level: Dictionary<unknown>, key: string): boolean {
    delete level[key];
    return this.#count(level, -1) === 0;
  }
}

interface Place {
  /** Empty for a cluster-scoped object. */
  readonly namespace: string;
  readonly groupVersion: string;
  readonly kind: string;
  readonly name: string;
}

function placeOf(object: unknown): Place | undefined {
  const metadata = metadataOf(object);
  if (metadata === undefined) return undefined;
  const { apiVersion, kind } = object as { apiVersion?: unknown; kind?: unknown };
  const { name, namespace = "" } = metadata;
  if (typeof apiVersion !== "string" || typeof kind !== "string" || typeof name !== "string")
    return undefined;
  if (typeof namespace !== "string") return undefined;
  return { namespace, groupVersion: apiVersion, kind, name };
}

function withoutManagedFields(object: object): object {
  const metadata = metadataOf(object) ?? {};
  if (!Object.hasOwn(metadata, "managedFields")) return object;
  const { managedFields: _, ...kept } = metadata;
  return { ...object, metadata: kept };
}

function dictionary<T>(): Dictionary<T> {
  return Object.create(null) as Dictionary<T>;
}

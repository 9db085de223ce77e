import type { KubeObject, WatchEvent } from "../kubernetes/objects.ts";
import { keyOf } from "../kubernetes/resource-type.ts";

/** A state of the model server that a list or watch can start from. */
type LogEntry = {
  version: number;
  event: WatchEvent<KubeObject> & { type: "ADDED" | "MODIFIED" | "DELETED" };
};

/**
 * The API server's list and watch semantics, in memory: one version counter, consistent paged lists, watches that
 * replay the log, compaction that makes old versions `410 Expired`. Only what the reflector's tests need; the
 * same behaviour is checked against the real server in `informer.integration.test.ts`.
 */
export class ModelServer {
  readonly objects = new Map<string, KubeObject>();
  readonly #log: LogEntry[] = [];
  #version = 1;
  #uids = 0;
  #compactedTo = 1;

  get version(): number {
    return this.#version;
  }

  /** Creates, or updates when it exists. */
  write(name: string): void {
    const existing = this.objects.get(name);
    const uid = existing?.metadata.uid ?? `uid-${++this.#uids}`;
    const version = ++this.#version;
    const object = {
      apiVersion: "v1",
      kind: "Model",
      metadata: { name, uid, resourceVersion: String(version) },
    };
    this.objects.set(name, object);
    this.#log.push({ version, event: { type: existing === undefined ? "ADDED" : "MODIFIED", object } });
  }

  delete(name: string): void {
    const existing = this.objects.get(name);
    if (existing === undefined) return;
    const version = ++this.#version;
    this.objects.delete(name);
    const object = { ...existing, metadata: { ...existing.metadata, resourceVersion: String(version) } };
    this.#log.push({ version, event: { type: "DELETED", object } });
  }

  compact(): void {
    this.#compactedTo = this.#version;
  }

  isExpired(version: number): boolean {
    return version < this.#compactedTo;
  }

  /** All objects as they were at `version`, in key order. */
  snapshot(version: number): KubeObject[] {
    const state = new Map<string, KubeObject>();
    for (const { version: at, event } of this.#log) {
      if (at > version) break;
      if (event.type === "DELETED") state.delete(keyOf(event.object));
      else state.set(keyOf(event.object), event.object);
    }
    return [...state.values()]
      .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
      .map((object) => structuredClone(object));
  }

  /** One page; `token` is `<version>/<last key>`. Undefined when the token has expired. */
  list(
    limit: number | undefined,
    token: string | undefined,
  ): { items: KubeObject[]; version: number; token?: string } | undefined {
    const [at, ...rest] = (token ?? `${this.#version}/`).split("/");
    const version = Number(at);
    if (token !== undefined && this.isExpired(version)) return undefined;
    const after = rest.join("/");
    const remaining = this.snapshot(version).filter((object) => keyOf(object) > after);
    const items = remaining.slice(0, limit);
    const last = items.at(-1);
    if (last === undefined || items.length === remaining.length) return { items, version };
    return { items, version, token: `${version}/${keyOf(last)}` };
  }

  /** Up to `count` events after `version`. */
  eventsAfter(version: number, count: number): WatchEvent<KubeObject>[] {
    const events = this.#log.filter((entry) => entry.version > version).slice(0, count);
    return events.map((entry) => structuredClone(entry.event));
  }
}

import { expect } from "vitest";
import type { InformerHandler } from "../cache/handlers.ts";
import type { KubeObject } from "../kubernetes/objects.ts";
import { keyOf } from "../kubernetes/resource-type.ts";

/** Follows an informer's events and notes what does not fit: per key added, updated…, deleted, of one uid. */
export class EventFollower implements Required<InformerHandler<KubeObject>> {
  readonly held = new Map<string, KubeObject>();
  readonly wrong: string[] = [];
  readonly log: string[] = [];
  initial = 0;

  added(object: KubeObject, isInitial: boolean): void {
    const key = keyOf(object);
    if (isInitial) this.initial++;
    else this.log.push(`added ${object.metadata.name}`);
    if (this.held.has(key)) this.wrong.push(`added ${key} twice`);
    this.held.set(key, object);
  }

  updated(old: KubeObject, object: KubeObject): void {
    const key = keyOf(object);
    const held = this.held.get(key);
    this.log.push(`updated ${object.metadata.name}`);
    if (held?.metadata.uid !== object.metadata.uid) this.wrong.push(`updated ${key} of another uid`);
    if (held?.metadata.resourceVersion !== old.metadata.resourceVersion)
      this.wrong.push(`updated ${key} from another state`);
    this.held.set(key, object);
  }

  deleted(last: KubeObject, isLastStateKnown: boolean): void {
    const key = keyOf(last);
    this.log.push(`deleted ${last.metadata.name}${isLastStateKnown ? "" : " (found missing)"}`);
    if (this.held.get(key)?.metadata.uid !== last.metadata.uid)
      this.wrong.push(`deleted ${key} of another uid`);
    this.held.delete(key);
  }

  /** Compares with the truth: key to uid and resourceVersion. */
  expectHolds(truth: readonly KubeObject[]): void {
    const states = (objects: Iterable<KubeObject>) =>
      Object.fromEntries(
        [...objects].map((of) => [keyOf(of), `${of.metadata.uid}@${of.metadata.resourceVersion}`]).sort(),
      );
    expect(this.wrong).toEqual([]);
    expect(states(this.held.values())).toEqual(states(truth));
  }
}

/** Runs `work` on all items, `width` at a time. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

/** Waits until the condition holds, looking each few milliseconds. */
export async function until(what: string, holds: () => boolean, timeoutMs = 60_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`still waiting for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

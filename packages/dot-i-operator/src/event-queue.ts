import { type Clock, WorkQueue } from "@shieldx/controller-runtime";
import { type KubernetesObject, ResourceEventType } from "./resource-event.ts";

/** One thing that happened to one object. */
export interface Change {
  readonly type: ResourceEventType;
  readonly object: KubernetesObject;
}

export interface EventQueueOptions {
  readonly clock?: Clock;
  /** Hands one change to whoever watches; false, or throwing, means that it has to be handed over again. */
  deliver(key: string, change: Change): Promise<boolean>;
  onFailure(key: string, change: Change, error: unknown): void;
}

/** An object's changes beyond this many are drawn together: a handler that cannot follow must not fill the memory. */
const MOST_PENDING = 100;

interface Pending {
  changes: Change[];
  isFailing: boolean;
}

/**
 * Delivers changes one at a time, as the original does, those of one object in order. A change whose delivery failed
 * comes again after a back-off, drawn together with what happened to the object since.
 */
export class EventQueue {
  readonly #options: EventQueueOptions;
  readonly #queue: WorkQueue<string>;
  readonly #pending = new Map<string, Pending>();

  constructor(options: EventQueueOptions) {
    this.#options = options;
    const { clock } = options;
    this.#queue = new WorkQueue({ name: "dot-i-events", ...(clock === undefined ? {} : { clock }) });
  }

  /** Objects with changes that are still to be delivered. */
  get size(): number {
    return this.#pending.size;
  }

  push(key: string, change: Change): void {
    if (this.#queue.isShutDown) return;
    const pending = this.#pending.get(key) ?? { changes: [], isFailing: false };
    this.#pending.set(key, pending);
    pending.changes.push(change);
    if (pending.isFailing || pending.changes.length > MOST_PENDING) pending.changes = fold(pending.changes);
    this.#queue.add(key);
  }

  /** Works until {@link shutDown}. */
  async run(): Promise<void> {
    for (;;) {
      const item = await this.#queue.take();
      if (item === undefined) return;
      try {
        await this.#next(item.key);
      } finally {
        this.#queue.done(item.key);
      }
    }
  }

  /** Hands over nothing more; resolves when the change under way is through. */
  async shutDown(): Promise<void> {
    await this.#queue.shutDown();
    this.#pending.clear();
  }

  async #next(key: string): Promise<void> {
    const pending = this.#pending.get(key);
    const change = pending?.changes.shift();
    if (pending === undefined || change === undefined) return;
    let isDone = false;
    try {
      isDone = await this.#options.deliver(key, change);
    } catch (error) {
      this.#options.onFailure(key, change, error);
    }
    pending.isFailing = !isDone;
    if (!isDone) {
      pending.changes = fold([change, ...pending.changes]);
      this.#queue.addFailed(key);
      return;
    }
    this.#queue.forget(key);
    if (pending.changes.length > 0) this.#queue.add(key);
    else this.#pending.delete(key);
  }
}

/**
 * The fewest changes that tell the same in the end: one for each object that bore the name, in its last state. One
 * that was never told of stays ADDED; a deletion is told even then, for the failed handler may have begun something.
 */
export function fold(changes: readonly Change[]): Change[] {
  const folded: Change[] = [];
  for (const change of changes) {
    const before = folded.at(-1);
    if (before === undefined || before.object.metadata?.uid !== change.object.metadata?.uid) {
      folded.push(change);
      continue;
    }
    const isNews = before.type === ResourceEventType.Added && change.type === ResourceEventType.Modified;
    folded[folded.length - 1] = isNews ? { type: ResourceEventType.Added, object: change.object } : change;
  }
  return folded;
}

import type { Json } from "./json.ts";
import { itemIdentity } from "./list-items.ts";
import type { ListAtom } from "./structural-schema.ts";

interface Item {
  /** What tells the item apart from others; also its step in a path. */
  readonly step: string;
  readonly value: Json;
}

type MergeItem = (left: Json | undefined, right: Json | undefined) => Json | undefined;

/**
 * Merges two lists whose elements have identities, in the order of structured-merge-diff (typed/merge.go
 * `visitListItems`): elements of both lists keep the order of the new one, elements of the old list only stay with
 * their neighbours, and elements of the new list only come after those. Elements without identity were rejected
 * before and are left out.
 */
export function mergeLists(
  list: ListAtom,
  left: readonly Json[],
  right: readonly Json[],
  mergeItem: MergeItem,
): Json[] {
  const merge = new ListMerge(withSteps(list, left), withSteps(list, right), mergeItem);
  return merge.run();
}

function withSteps(list: ListAtom, items: readonly Json[]): Item[] {
  return items.flatMap((value) => {
    const identity = itemIdentity(list, value);
    return "flaw" in identity ? [] : [{ step: identity.step, value }];
  });
}

class ListMerge {
  readonly #old: readonly Item[];
  readonly #fresh: readonly Item[];
  readonly #mergeItem: MergeItem;
  readonly #oldByStep = new Map<string, Json>();
  readonly #freshSteps: ReadonlySet<string>;
  /** Steps of elements in both lists that have not been merged yet, in the new order. */
  readonly #shared: string[];
  readonly #merged: Json[] = [];
  /** How much of the old list is dealt with. */
  #at = 0;

  constructor(old: readonly Item[], fresh: readonly Item[], mergeItem: MergeItem) {
    this.#old = old;
    this.#fresh = fresh;
    this.#mergeItem = mergeItem;
    // What the old list holds twice is not merged with but replaced.
    for (const { step, value } of old) this.#oldByStep.set(step, this.#oldByStep.has(step) ? null : value);
    this.#freshSteps = new Set(fresh.map(({ step }) => step));
    this.#shared = fresh.map(({ step }) => step).filter((step) => this.#oldByStep.has(step));
  }

  run(): Json[] {
    let nextShared = 0;
    for (const { step, value } of this.#fresh) {
      this.#takeOldBefore(step, this.#shared[nextShared]);
      this.#push(this.#mergeItem(this.#oldByStep.get(step), value));
      if (this.#shared[nextShared] === step) nextShared++;
    }
    for (const { step, value } of this.#old.slice(this.#at)) {
      if (!this.#freshSteps.has(step)) this.#push(this.#mergeItem(value, undefined));
    }
    return this.#merged;
  }

  /** Goes through the old list up to the element `step`, or to where the next shared element keeps its place. */
  #takeOldBefore(step: string, nextShared: string | undefined): void {
    for (let item = this.#old[this.#at]; item !== undefined; item = this.#old[this.#at]) {
      if (item.step === step) {
        this.#at++;
        return;
      }
      if (!this.#freshSteps.has(item.step)) {
        this.#push(this.#mergeItem(item.value, undefined));
      } else if (nextShared === undefined) {
        // Merged already. One such element is passed by for each new one.
        this.#at++;
        return;
      } else if (nextShared === item.step) {
        return;
      }
      this.#at++;
    }
  }

  #push(value: Json | undefined): void {
    if (value !== undefined) this.#merged.push(value);
  }
}

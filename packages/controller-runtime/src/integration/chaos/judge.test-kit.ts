import type { Intents } from "./churn.test-kit.ts";
import { type Delivery, type Lane, ownObject } from "./delivery.test-kit.ts";
import type { ObjectHistory, ServerHistory } from "./server-history.test-kit.ts";

export interface Verdict {
  /** States and deletions that had to be delivered and were not. */
  readonly lost: string[];
  /** What was delivered and never was so on a server. */
  readonly invented: string[];
  /** What was delivered out of order. */
  readonly disordered: string[];
  readonly delivered: number;
  readonly lists: number;
}

/** Versions a list skipped: within one, only the state at its end has to be delivered. */
interface Gap {
  readonly after: number;
  readonly upTo: number;
}

type Change = Extract<Delivery, { what: "added" | "updated" | "deleted" }>;

/**
 * Compares what one informer's handlers were told with what the servers did.
 *
 * A watch delivers every version, a list only the present one. So each list opens a gap from the last version the
 * watch before it had delivered to the version of the list; outside of gaps, everything written must arrive.
 */
export class LaneJudge {
  readonly verdict: Verdict & { delivered: number; lists: number } = {
    lost: [],
    invented: [],
    disordered: [],
    delivered: 0,
    lists: 0,
  };
  readonly #namespace: string;
  readonly #history: ServerHistory;
  readonly #intents: Intents;
  readonly #held = new Map<string, { uid: string; v: number }>();
  readonly #deliveredVersions = new Map<string, Set<number>>();
  readonly #added = new Map<string, string>();
  readonly #gone = new Set<string>();
  readonly #gaps: Gap[] = [];
  /** Up to where everything has been delivered. */
  #progress = 0;
  /** From the beginning of a list to the watch that follows it, what is delivered says nothing about what came before. */
  #isListing = false;
  #listVersion: number | undefined;

  constructor(lane: Lane, history: ServerHistory, intents: Intents) {
    this.#namespace = lane.namespace;
    this.#history = history;
    this.#intents = intents;
  }

  take(delivery: Delivery): void {
    switch (delivery.what) {
      case "list":
        this.#isListing = true;
        break;
      case "page":
        this.#isListing = true;
        this.#listVersion = delivery.v;
        break;
      case "watch":
        this.#takeWatch(delivery.v);
        break;
      default:
        this.#takeChange(delivery);
    }
  }

  /** Call when everything was delivered. */
  close(): void {
    for (const [key, history] of this.#history.objects) {
      if (key.startsWith(`${this.#namespace}/`) && !key.endsWith(`/${ownObject}`))
        this.#seekLost(key, history);
    }
  }

  #takeWatch(v: number): void {
    if (this.#listVersion !== undefined) {
      if (v !== this.#listVersion) {
        this.verdict.disordered.push(
          `${this.#namespace}: a list at ${this.#listVersion} was followed from ${v}`,
        );
      }
      this.#gaps.push({ after: this.#progress, upTo: v });
      this.verdict.lists++;
      this.#listVersion = undefined;
    }
    this.#isListing = false;
    this.#progress = Math.max(this.#progress, v);
  }

  #takeChange(change: Change): void {
    const key = `${this.#namespace}/${change.name}`;
    const what = `${change.what} ${key} ${change.uid}@${change.v}`;
    this.verdict.delivered++;
    this.#checkState(key, change, what);
    this.#checkOrder(key, change, what);
    if (!this.#isListing) {
      if (change.v <= this.#progress) {
        this.verdict.disordered.push(`${what}: a watch had already delivered ${this.#progress}`);
      }
      this.#progress = Math.max(this.#progress, change.v);
    }
  }

  #checkState(key: string, change: Change, what: string): void {
    const history = this.#history.of(key);
    const intended = this.#intents.get(change.token);
    if (!change.isWhole) this.verdict.invented.push(`${what}: its content is damaged`);
    if (intended === undefined || `${intended.namespace}/${intended.name}` !== key) {
      this.verdict.invented.push(`${what}: nobody wrote "${change.token}" there`);
      return;
    }
    if (change.what === "deleted") {
      if (!history.deletedUids.has(change.uid) && !history.hasUnansweredWrite) {
        this.verdict.invented.push(`${what}: the servers deleted no such object`);
      }
      return;
    }
    const versions = this.#deliveredVersions.get(key) ?? new Set();
    this.#deliveredVersions.set(key, versions.add(change.v));
    const written = history.states.get(change.v);
    if (written === undefined) {
      if (!history.hasUnansweredWrite)
        this.verdict.invented.push(`${what}: the servers wrote no such version`);
    } else if (written.uid !== change.uid || written.token !== change.token) {
      this.verdict.invented.push(
        `${what} "${change.token}": the servers wrote ${written.uid} "${written.token}"`,
      );
    }
  }

  #checkOrder(key: string, change: Change, what: string): void {
    const held = this.#held.get(change.name);
    if (change.what === "added") {
      if (held !== undefined) this.verdict.disordered.push(`${what}: ${held.uid} was held`);
      if (this.#gone.has(change.uid)) this.verdict.disordered.push(`${what}: it had been deleted`);
      this.#added.set(change.uid, key);
    } else if (held?.uid !== change.uid) {
      this.verdict.disordered.push(`${what}: ${held?.uid ?? "nothing"} was held`);
    } else if (change.what === "updated" ? change.v <= held.v : change.v < held.v) {
      this.verdict.disordered.push(`${what}: ${held.v} had been delivered`);
    }
    if (change.what === "deleted") {
      this.#held.delete(change.name);
      this.#gone.add(change.uid);
    } else {
      this.#held.set(change.name, { uid: change.uid, v: change.v });
    }
  }

  #seekLost(key: string, history: ObjectHistory): void {
    const delivered = this.#deliveredVersions.get(key) ?? new Set();
    const versions = [...history.states.keys()].sort((a, b) => a - b);
    for (const [at, v] of versions.entries()) {
      if (delivered.has(v)) continue;
      const state = history.states.get(v);
      const gap = this.#gaps.find(({ after, upTo }) => after < v && v <= upTo);
      const next = versions[at + 1];
      // The same object was written again after the gap, so at its end it was in this state.
      const wasThereAtTheEnd =
        gap !== undefined &&
        next !== undefined &&
        next > gap.upTo &&
        history.states.get(next)?.uid === state?.uid &&
        !history.hasUnansweredWrite;
      if (gap === undefined || wasThereAtTheEnd) {
        this.verdict.lost.push(`${key} ${state?.uid}@${v} "${state?.token}" was not delivered`);
      }
    }
    for (const uid of history.deletedUids) {
      if (this.#added.get(uid) === key && !this.#gone.has(uid)) {
        this.verdict.lost.push(`the deletion of ${key} ${uid} was not delivered`);
      }
    }
  }
}

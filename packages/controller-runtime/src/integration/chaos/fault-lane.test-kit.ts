import { canStrike, type Fault, type FaultKind, faultsOf, type Moment } from "./fault-schedule.test-kit.ts";

/** One informer's share of the schedule. */
export class FaultLane {
  readonly index: number;
  readonly #schedule: Generator<Fault, never>;
  readonly #count: (kind: FaultKind) => void;
  #pending: Fault;
  /** Set by a compaction: the next request waits for it. */
  hold: Promise<void> | undefined;

  constructor(index: number, seed: number, count: (kind: FaultKind) => void) {
    this.index = index;
    this.#schedule = faultsOf(seed, index);
    this.#count = count;
    this.#pending = this.#schedule.next().value;
  }

  /** The fault due next. It stays due until {@link struck}. */
  get due(): Fault {
    return this.#pending;
  }

  dueAt(moment: Moment): Fault | undefined {
    return canStrike(this.#pending, moment) ? this.#pending : undefined;
  }

  struck(): void {
    if (this.#pending.kind !== "none") this.#count(this.#pending.kind);
    this.#pending = this.#schedule.next().value;
  }
}

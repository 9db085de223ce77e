import { currentMeter } from "./work-meter.ts";

/**
 * A list that was sorted. Values may be seen by more than one query, and each is charged for sorting them: what a query
 * costs must not depend on who came before.
 */
export class SortedOnce<T> {
  readonly #list: readonly T[];
  readonly #work: number;
  #chargedTo: number | undefined;

  constructor(sort: () => readonly T[]) {
    const meter = currentMeter();
    const before = meter?.spent ?? 0;
    this.#list = sort();
    this.#work = (meter?.spent ?? 0) - before;
    this.#chargedTo = meter?.serial;
  }

  get list(): readonly T[] {
    const meter = currentMeter();
    if (meter !== undefined && meter.serial !== this.#chargedTo) {
      this.#chargedTo = meter.serial;
      meter.spend(this.#work);
    }
    return this.#list;
  }
}

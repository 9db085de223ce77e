/** Judgements without their findings: which policies were held against an object, and what exceptions set aside. */
export interface Covered {
  /** Policies held against it. */
  readonly matched: readonly string[];
  /** Policies it breaks by leave of an exception. */
  readonly exempted: readonly string[];
  /** Exceptions, `namespace/name`, that set something aside. */
  readonly exceptions: readonly string[];
}

interface Coverage extends Covered {
  readonly text: string;
}

/** There are few different combinations; should there ever be many, sharing starts over. */
const mostShared = 1_000;
const nothing: Covered = { matched: [], exempted: [], exceptions: [] };

/** What was held against which object, counted by policy and by exception. A clean object costs a reference. */
export class AuditCoverage {
  readonly #judged = new Map<string, Coverage>();
  readonly #shared = new Map<string, Coverage>();
  readonly #counters = new Map<string, { checked: number; exempted: number }>();
  readonly #exceptions = new Map<string, number>();
  readonly #changedPolicies = new Set<string>();
  readonly #changedExceptions = new Set<string>();

  set(key: string, { matched, exempted, exceptions }: Covered): void {
    const before = this.#judged.get(key);
    const text = JSON.stringify([matched, exempted, exceptions]);
    if (before?.text === text) return;
    const after = this.#shared.get(text) ?? { text, matched, exempted, exceptions };
    for (const [coverage, by] of [[before, -1] as const, [after, 1] as const]) {
      for (const policy of coverage?.matched ?? []) this.#count(policy).checked += by;
      for (const policy of coverage?.exempted ?? []) this.#count(policy).exempted += by;
      for (const exception of coverage?.exceptions ?? []) this.#countException(exception, by);
    }
    for (const policy of [...(before?.matched ?? []), ...(before?.exempted ?? [])]) this.#forget(policy);
    if (matched.length + exempted.length + exceptions.length === 0) {
      this.#judged.delete(key);
      return;
    }
    if (this.#shared.size > mostShared) this.#shared.clear();
    this.#shared.set(text, after);
    this.#judged.set(key, after);
  }

  delete(key: string): void {
    this.set(key, nothing);
  }

  of(policy: string): { readonly checked: number; readonly exempted: number } {
    return this.#counters.get(policy) ?? { checked: 0, exempted: 0 };
  }

  /** How many objects need each exception, `namespace/name`; those that none needs are not in it. */
  get exceptions(): ReadonlyMap<string, number> {
    return this.#exceptions;
  }

  /** Policies and exceptions of which other numbers are true since the last call. */
  takeChanges(): { policies: string[]; exceptions: string[] } {
    const changes = { policies: [...this.#changedPolicies], exceptions: [...this.#changedExceptions] };
    this.#changedPolicies.clear();
    this.#changedExceptions.clear();
    return changes;
  }

  #countException(exception: string, by: number): void {
    const count = (this.#exceptions.get(exception) ?? 0) + by;
    if (count === 0) this.#exceptions.delete(exception);
    else this.#exceptions.set(exception, count);
    this.#changedExceptions.add(exception);
  }

  /** Policies come and go; what none is held against any more is not remembered. */
  #forget(policy: string): void {
    const counter = this.#counters.get(policy);
    if (counter?.checked === 0 && counter.exempted === 0) this.#counters.delete(policy);
  }

  #count(policy: string): { checked: number; exempted: number } {
    const counter = this.#counters.get(policy) ?? { checked: 0, exempted: 0 };
    this.#counters.set(policy, counter);
    this.#changedPolicies.add(policy);
    return counter;
  }
}

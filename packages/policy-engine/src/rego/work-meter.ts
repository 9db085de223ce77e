/**
 * Bounds what walking a value costs. Few lines of a policy make a value that is small in memory and endless to walk
 * (`a := [x, x]`, `b := [a, a]`, …), and values are compared deep inside collections and built-ins, where the query is
 * out of sight. Evaluation is synchronous, so the meter of the query that runs is simply the innermost one.
 */
export interface WorkMeter {
  /** Counts work, and ends it by throwing. */
  spend(units: number): void;
}

let meter: WorkMeter | undefined;

/** From here on this one counts. Returns who did: set that again, in a `finally`. */
export function countWith(next: WorkMeter | undefined): WorkMeter | undefined {
  const outer = meter;
  meter = next;
  return outer;
}

/** Runs `work`; each value it walks is counted by `spend`, which ends it by throwing. */
export function metered<T>(spend: (units: number) => void, work: () => T): T {
  const outer = countWith({ spend });
  try {
    return work();
  } finally {
    countWith(outer);
  }
}

/** Counts values that are about to be walked. Free where nobody counts. */
export function countWork(values: number): void {
  meter?.spend(values);
}

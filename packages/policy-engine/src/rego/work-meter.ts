/**
 * Bounds what walking a value costs. Few lines of a policy make a value that is small in memory and endless to walk
 * (`a := [x, x]`, `b := [a, a]`, …), and values are compared deep inside collections and built-ins, where the query is
 * out of sight. Evaluation is synchronous, so the meter of the query that runs is simply the innermost one.
 */

let meter: ((units: number) => void) | undefined;

/** Runs `work`; each value it walks is counted by `spend`, which ends it by throwing. */
export function metered<T>(spend: (units: number) => void, work: () => T): T {
  const outer = meter;
  meter = spend;
  try {
    return work();
  } finally {
    meter = outer;
  }
}

/** Counts values that are about to be walked. Free where nobody counts. */
export function countWork(values: number): void {
  meter?.(values);
}

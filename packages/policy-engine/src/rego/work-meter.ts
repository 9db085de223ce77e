/**
 * Bounds what walking a value costs. Few lines of a policy make a value that is small in memory and endless to walk
 * (`a := [x, x]`, `b := [a, a]`, …), and values are compared deep inside collections and built-ins, where the query is
 * out of sight. Evaluation is synchronous, so the meter of the query that runs is simply the innermost one.
 */
export interface WorkMeter {
  /** Tells the queries apart that are counted. */
  readonly serial: number;
  /** Units so far. */
  readonly spent: number;
  /** Counts work, and ends it by throwing. */
  spend(units: number): void;
}

let meter: WorkMeter | undefined;
let count = 0;

/** For one query that is counted. */
export function nextSerial(): number {
  return ++count;
}

/** From here on this one counts. Returns who did: set that again, in a `finally`. */
export function countWith(next: WorkMeter | undefined): WorkMeter | undefined {
  const outer = meter;
  meter = next;
  return outer;
}

/** Runs `work`; each value it walks is counted by `spend`, which ends it by throwing. */
export function metered<T>(spend: (units: number) => void, work: () => T): T {
  const outer = countWith(new OwnMeter(spend));
  try {
    return work();
  } finally {
    countWith(outer);
  }
}

class OwnMeter implements WorkMeter {
  readonly serial = nextSerial();
  spent = 0;
  readonly #spend: (units: number) => void;

  constructor(spend: (units: number) => void) {
    this.#spend = spend;
  }

  spend(units: number): void {
    this.spent += units;
    this.#spend(units);
  }
}

/** Who counts; undefined where nobody does. */
export function currentMeter(): WorkMeter | undefined {
  return meter;
}

/** Counts values that are about to be walked. Free where nobody counts. */
export function countWork(values: number): void {
  meter?.spend(values);
}

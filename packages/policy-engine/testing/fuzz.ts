/** Runs of many seeded cases, each of which can be made again from its seed alone. */

export interface FuzzTarget {
  readonly name: string;
  /** One case: throws for a defect, and says otherwise what became of it. */
  readonly run: (seed: number) => string;
}

export interface FuzzReport {
  readonly cases: number;
  readonly outcomes: Readonly<Record<string, number>>;
}

/** SHIELDX_FUZZ_CASES instead of what a test runs by itself. */
export function fuzzCases(byDefault: number): number {
  return Number(process.env.SHIELDX_FUZZ_CASES ?? byDefault);
}

/** Cases between two looks at what else the process has to do: its test runner wants to hear of it. */
const slice = 2_000;

/**
 * Runs the cases and prints their count and rate. A failure names its seed: SHIELDX_FUZZ_SEED=<seed>
 * SHIELDX_FUZZ_CASES=1 makes it again.
 */
export async function runFuzz({ name, run }: FuzzTarget, cases: number): Promise<FuzzReport> {
  const firstSeed = Number(process.env.SHIELDX_FUZZ_SEED ?? 1);
  const outcomes: Record<string, number> = {};
  const began = performance.now();
  for (let seed = firstSeed; seed < firstSeed + cases; seed += 1) {
    let outcome: string;
    try {
      outcome = run(seed);
    } catch (error) {
      throw new Error(`${name}: case with SHIELDX_FUZZ_SEED=${seed}`, { cause: error });
    }
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    if (seed % slice === 0) await new Promise(setImmediate);
  }
  const rate = Math.round(cases / ((performance.now() - began) / 1_000));
  console.log(
    `${name}: ${cases} cases from seed ${firstSeed}, ${JSON.stringify(outcomes)}, ${rate} a second`,
  );
  return { cases, outcomes };
}

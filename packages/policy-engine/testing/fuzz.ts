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
 * Runs the cases and prints their count and rate, by the processor's time. A failure names its seed:
 * SHIELDX_FUZZ_SEED=<seed> SHIELDX_FUZZ_CASES=1 makes it again.
 */
export async function runFuzz(target: FuzzTarget, cases: number): Promise<FuzzReport> {
  const firstSeed = Number(process.env.SHIELDX_FUZZ_SEED ?? 1);
  const began = process.cpuUsage();
  const { stackTraceLimit } = Error;
  // Most cases end in an error, and its stack costs as much as the case.
  Error.stackTraceLimit = 0;
  let outcomes: Readonly<Record<string, number>>;
  try {
    outcomes = await runAll(target, firstSeed, cases);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  const { user, system } = process.cpuUsage(began);
  const rate = Math.round(cases / ((user + system) / 1e6));
  const counts = JSON.stringify(outcomes);
  console.log(
    `${target.name}: ${cases} cases from seed ${firstSeed}, ${counts}, ${rate} for each second of CPU`,
  );
  return { cases, outcomes };
}

async function runAll(
  { name, run }: FuzzTarget,
  firstSeed: number,
  cases: number,
): Promise<Record<string, number>> {
  const outcomes: Record<string, number> = {};
  for (let seed = firstSeed; seed < firstSeed + cases; seed += 1) {
    let outcome: string;
    try {
      outcome = run(seed);
    } catch (error) {
      throw new Error(`${name}: case with SHIELDX_FUZZ_SEED=${seed}`, {
        cause: withStack(run, seed) ?? error,
      });
    }
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    if (seed % slice === 0) await new Promise(setImmediate);
  }
  return outcomes;
}

/** The failure once more, with where it happened. */
function withStack(run: FuzzTarget["run"], seed: number): unknown {
  Error.stackTraceLimit = 30;
  try {
    run(seed);
    return undefined;
  } catch (error) {
    return error;
  }
}

/** How a benchmark was asked to run, by the environment. */
export interface BenchSettings {
  /** `QUICK=1`: small counts, to see that everything works. Its figures are not written into the tables. */
  readonly isQuick: boolean;
  /** `RUNS=5`: alternating runs per figure. */
  readonly runs: number;
  /** `PARTS=a,b`: only these parts of the benchmark; their figures replace the former ones, the others stay. */
  readonly parts: readonly string[] | undefined;
}

/** @throws RangeError naming the variable */
export function settingsFrom(env: NodeJS.ProcessEnv, knownParts: readonly string[]): BenchSettings {
  const isQuick = env.QUICK === "1";
  const runs = Number(env.RUNS ?? (isQuick ? 1 : 5));
  if (!Number.isInteger(runs) || runs < 1) throw new RangeError(`RUNS=${env.RUNS}: not a count of runs`);
  const parts = env.PARTS === undefined || env.PARTS === "" ? undefined : env.PARTS.split(",");
  const unknown = parts?.find((part) => !knownParts.includes(part));
  if (unknown !== undefined) {
    throw new RangeError(`PARTS: there is no part "${unknown}"; there are ${knownParts.join(", ")}`);
  }
  return { isQuick, runs, parts };
}

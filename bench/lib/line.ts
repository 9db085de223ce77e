/** One comparison: what we took and what one peer took in the same run. The format of every benchmark's output. */
export interface BenchLine {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Who was measured beside us, or `goal` for a figure that was promised rather than measured. */
  readonly peer: string;
  readonly peerValue: number;
  /**
   * How many times better we are; 1 or more means at least as good, whether more or less of the unit is better. Null where
   * one of the two cannot be told from nothing.
   */
  readonly ratio: number | null;
  /** Where `ratio` is null: a figure that is no more than this stands for anything up to it. */
  readonly resolution?: number;
}

export type Better = "less" | "more";

export interface Comparison {
  readonly name: string;
  readonly unit: string;
  readonly better: Better;
  readonly ours: number;
  readonly peers: Readonly<Record<string, number>>;
  /** Of differences: no more than this cannot be told from nothing. They may be below nothing. */
  readonly resolution?: number;
}

/** The lines of one figure, a peer each. @throws RangeError for a figure that cannot be one */
export function compared({ name, unit, better, ours, peers, resolution }: Comparison): BenchLine[] {
  const least = resolution ?? 0;
  return Object.entries(peers).map(([peer, peerValue]) => {
    for (const [who, value] of [["ours", ours] as const, [peer, peerValue] as const]) {
      if (!Number.isFinite(value) || (value < 0 && resolution === undefined)) {
        throw new RangeError(`${name}: ${who} is ${value}`);
      }
    }
    const isTold = resolution === undefined || Math.min(ours, peerValue) > resolution;
    const ratio = better === "less" ? over(peerValue, ours) : over(ours, peerValue);
    return {
      name,
      value: rounded(Math.max(least, ours)),
      unit,
      peer,
      peerValue: rounded(Math.max(least, peerValue)),
      ...(isTold ? { ratio: rounded(ratio) } : { ratio: null, resolution }),
    };
  });
}

/** A ratio of two amounts, of which both may be nothing. */
function over(above: number, below: number): number {
  if (below === 0) return above === 0 ? 1 : Number.MAX_SAFE_INTEGER;
  return above / below;
}

/** Three significant digits, and whole numbers beyond a thousand: no figure here is more exact than that. */
export function rounded(value: number): number {
  return Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(3));
}

/** @throws SyntaxError naming what is not a line */
export function parseLine(text: string): BenchLine {
  const line = JSON.parse(text) as Partial<BenchLine>;
  const { name, value, unit, peer, peerValue, ratio, resolution } = line;
  const isWhole =
    typeof name === "string" &&
    typeof unit === "string" &&
    typeof peer === "string" &&
    [value, peerValue, ratio ?? resolution].every((number) => typeof number === "number");
  if (!isWhole) throw new SyntaxError(`not a line of a benchmark: ${text}`);
  return line as BenchLine;
}

/** Where the bars of a chart stand. */

export interface Bar {
  readonly index: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Bars {
  readonly bars: readonly Bar[];
  /** Hours that nobody counted, as bars of the chart's whole height. */
  readonly gaps: readonly Bar[];
  /** Value at the top of the chart. */
  readonly top: number;
}

/** One bar for each count, in a box of this size; a count of 0 is a line that can be seen. */
export function barsOf(counts: readonly (number | null)[], width: number, height: number): Bars {
  const top = roundUp(counts.reduce<number>((largest, value) => Math.max(largest, value ?? 0), 0));
  const step = width / Math.max(1, counts.length);
  const at = (index: number, tall: number): Bar => ({
    index,
    x: round(index * step),
    y: round(height - tall),
    width: round(Math.max(0.5, step * 0.85)),
    height: round(tall),
  });
  const bars: Bar[] = [];
  const gaps: Bar[] = [];
  counts.forEach((value, index) => {
    if (value === null) gaps.push(at(index, height));
    else bars.push(at(index, Math.max(1, (value / top) * height)));
  });
  return { bars, gaps, top };
}

/** The next of 1, 2, 5, 10, 20, 50, … */
export function roundUp(value: number): number {
  if (value <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((factor) => factor * power).find((bound) => bound >= value) ?? 10 * power;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

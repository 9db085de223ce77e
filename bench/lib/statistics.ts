/** The middle value; the mean of the two middle ones of an even count. @throws RangeError without values */
export function median(values: readonly number[]): number {
  return (quantile(values, 0.5, "lower") + quantile(values, 0.5, "higher")) / 2;
}

/**
 * The value that `share` of all values do not exceed (nearest rank: always one that was measured).
 * @throws RangeError without values
 */
export function quantile(
  values: readonly number[],
  share: number,
  between: "lower" | "higher" = "lower",
): number {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = share * sorted.length;
  const at = between === "lower" ? Math.ceil(rank) - 1 : Math.floor(rank);
  const value = sorted[Math.min(Math.max(at, 0), sorted.length - 1)];
  if (value === undefined) throw new RangeError("a quantile of no values");
  return value;
}

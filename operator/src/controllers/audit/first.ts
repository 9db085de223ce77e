/**
 * The first `count` items in order, without sorting or keeping all of them: there may be 100,000 and ten are wanted.
 * @param compare below 0 where the first comes before the second, never 0 for two items
 */
export function first<T>(items: Iterable<T>, count: number, compare: (a: T, b: T) => number): T[] {
  const found: T[] = [];
  if (count <= 0) return found;
  for (const item of items) {
    const last = found.at(-1);
    if (found.length >= count && last !== undefined && compare(item, last) > 0) continue;
    found.splice(placeOf(item, found, compare), 0, item);
    if (found.length > count) found.pop();
  }
  return found;
}

function placeOf<T>(item: T, sorted: readonly T[], compare: (a: T, b: T) => number): number {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    const other = sorted[middle];
    if (other !== undefined && compare(item, other) > 0) from = middle + 1;
    else to = middle;
  }
  return from;
}

import { type Count, most, type Tally } from "./tally.ts";

export const HOUR_MS = 3_600_000;
/** A week. */
export const HOURS_KEPT = 168;
/** Policies, namespaces and owners that are followed over time, of each. */
export const SERIES_KEPT = 50;

/** The most there was in each hour; null where nobody counted, or this one was not followed. */
export type Hours = readonly (number | null)[];

export interface Series {
  readonly name: string;
  readonly counts: Hours;
}

export interface History {
  /** Hours since the epoch of the first entry; one entry an hour follows, in `total` and in every series. */
  readonly firstHour: number;
  /** Offending objects, each once however many policies it breaks. */
  readonly total: Hours;
  readonly policies: readonly Series[];
  readonly namespaces: readonly Series[];
  readonly owners: readonly Series[];
}

/**
 * The history with what is counted in `hour`. Each hour keeps the most there was, so that what was mended within it is
 * seen too, and an audit that has only begun does not look like an improvement. Hours that lie ahead of `hour`, because a
 * clock was wrong, are dropped; hours that nobody watched stay empty.
 */
export function recorded(history: History | undefined, hour: number, now: Tally): History {
  const { firstHour, total, ...dimensions } = movedTo(history, hour);
  return {
    firstHour,
    total: withLast(total, now.objects),
    policies: seriesWith(dimensions.policies, now.policies, total.length),
    namespaces: seriesWith(dimensions.namespaces, now.namespaces, total.length),
    owners: seriesWith(dimensions.owners, now.owners, total.length),
  };
}

/** The same hours, so that the last entry is that of `hour`. */
function movedTo(history: History | undefined, hour: number): History {
  const empty = { firstHour: hour, total: [null], policies: [], namespaces: [], owners: [] };
  if (history === undefined || hour < history.firstHour) return empty;
  const firstHour = Math.max(history.firstHour, hour - HOURS_KEPT + 1);
  const length = hour - firstHour + 1;
  const move = (counts: Hours): Hours => {
    const kept = counts.slice(firstHour - history.firstHour).slice(0, length);
    return [...kept, ...Array.from({ length: length - kept.length }, () => null)];
  };
  const moveAll = (series: readonly Series[]): Series[] =>
    series.map(({ name, counts }) => ({ name, counts: move(counts) }));
  return {
    firstHour,
    total: move(history.total),
    policies: moveAll(history.policies),
    namespaces: moveAll(history.namespaces),
    owners: moveAll(history.owners),
  };
}

function withLast(counts: Hours, count: number): Hours {
  return [...counts.slice(0, -1), Math.max(counts.at(-1) ?? 0, count)];
}

/** Those followed before and those there are now, as far as there is room: the largest, and of equals the older ones. */
function seriesWith(before: readonly Series[], now: ReadonlyMap<string, Count>, length: number): Series[] {
  const known = new Set(before.map(({ name }) => name));
  const nothing = Array.from({ length }, () => null);
  const followed = before.map(({ name, counts }) => ({
    name,
    counts: withLast(counts, now.get(name)?.objects ?? 0),
  }));
  const added = most(now, SERIES_KEPT)
    .filter(([name]) => !known.has(name))
    .map(([name, { objects }]) => ({ name, counts: withLast(nothing, objects) }));
  return [...followed, ...added]
    .map((series) => ({ series, largest: largestOf(series.counts) }))
    .filter(({ largest }) => largest > 0)
    .sort((a, b) => b.largest - a.largest)
    .slice(0, SERIES_KEPT)
    .map(({ series }) => series);
}

function largestOf(counts: Hours): number {
  return counts.reduce<number>((largest, count) => Math.max(largest, count ?? 0), 0);
}

import type { History, Hours, Series } from "./history.ts";
import { HOUR_MS, HOURS_KEPT, SERIES_KEPT } from "./history.ts";
import { type Count, most, type Owner, type Tally } from "./tally.ts";

/** Rows of each breakdown; how many there are besides is counted. */
export const ROWS_KEPT = 100;

/** The largest of something, and how many there are in all. */
export interface Top<T> {
  readonly total: number;
  readonly rows: readonly T[];
}

export interface NamespaceCount extends Count {
  readonly name: string;
}

/** What ShieldX knows of what offends, as it is kept. Times are milliseconds since the epoch. */
export interface FindingsRecord extends Count {
  readonly version: 1;
  /** Since when there is a record. */
  readonly since: number;
  readonly recordedAt: number;
  readonly namespaces: Top<NamespaceCount>;
  readonly owners: Top<Owner>;
  readonly history: History;
}

/** The ConfigMap's one entry. */
export const RECORD_KEY = "findings.json";
/** A record of the bounds above has less than half of it; an object in etcd may have three times as much. */
const MAX_TEXT = 524_288;
/** Kind, namespace and name of an owner. */
const MAX_NAME = 600;

export function recordOf(
  tally: Tally,
  history: History,
  { since, recordedAt }: Pick<FindingsRecord, "since" | "recordedAt">,
): FindingsRecord {
  const { objects, violations, namespaces, owners } = tally;
  return {
    version: 1,
    since,
    recordedAt,
    objects,
    violations,
    namespaces: {
      total: namespaces.size,
      rows: most(namespaces, ROWS_KEPT).map(([name, count]) => ({ name, ...count })),
    },
    owners: { total: owners.size, rows: most(owners, ROWS_KEPT).map(([, owner]) => owner) },
    history,
  };
}

/** Text that changes exactly when something else is to be told; when it was recorded alone is not. */
export function essenceOf(record: FindingsRecord): string {
  return JSON.stringify({ ...record, recordedAt: 0 });
}

/** Reads what {@link FindingsRecord} was written as; undefined for what no operator wrote, or another version of it. */
export function parseRecord(text: string | undefined): FindingsRecord | undefined {
  if (text === undefined || text.length > MAX_TEXT) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  return isRecord(value) ? value : undefined;
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

/** Own fields only: `value` is foreign JSON. */
function has(value: unknown, checks: Readonly<Record<string, (field: unknown) => boolean>>): boolean {
  const fields = fieldsOf(value);
  if (fields === undefined) return false;
  return Object.entries(checks).every(([name, holds]) => Object.hasOwn(fields, name) && holds(fields[name]));
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
/** Milliseconds that a Date can hold (ECMA-262, 21.4.1.1). */
const LATEST_MS = 8.64e15;
const isTime = (value: unknown): boolean => isCount(value) && (value as number) <= LATEST_MS;
const isText = (value: unknown): boolean => typeof value === "string" && value.length <= MAX_NAME;
const isHours = (value: unknown): value is Hours =>
  Array.isArray(value) &&
  value.length <= HOURS_KEPT &&
  value.every((count) => count === null || isCount(count));

function isTop(value: unknown, isRow: (row: unknown) => boolean): boolean {
  return has(value, {
    total: isCount,
    rows: (rows) => Array.isArray(rows) && rows.length <= ROWS_KEPT && rows.every(isRow),
  });
}

function isRecord(value: unknown): value is FindingsRecord {
  const count = { objects: isCount, violations: isCount };
  return has(value, {
    ...count,
    version: (version) => version === 1,
    since: isTime,
    recordedAt: isTime,
    namespaces: (top) => isTop(top, (row) => has(row, { ...count, name: isText })),
    owners: (top) =>
      isTop(top, (row) => has(row, { ...count, namespace: isText, kind: isText, name: isText })),
    history: isHistory,
  });
}

function isHistory(value: unknown): value is History {
  const total = fieldsOf(value)?.total;
  if (!isHours(total) || total.length === 0) return false;
  const isSeries = (series: unknown): series is Series =>
    has(series, { name: isText, counts: (counts) => isHours(counts) && counts.length === total.length });
  const areSeries = (all: unknown): boolean =>
    Array.isArray(all) && all.length <= SERIES_KEPT && all.every(isSeries);
  return has(value, {
    firstHour: (hour) => isCount(hour) && (hour as number) * HOUR_MS <= LATEST_MS,
    total: isHours,
    policies: areSeries,
    namespaces: areSeries,
    owners: areSeries,
  });
}

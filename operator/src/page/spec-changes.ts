import type { Listed, SpecChange } from "./shape.ts";

/** Changes that are named; the others are counted. */
export const CHANGES_SHOWN = 20;
const LONGEST_VALUE = 240;
/** Deeper values are compared as a whole. */
const DEEPEST = 12;

/** Where two specs differ, field by field, in the order of the fields' paths. */
export function specChanges(before: object, after: object): Listed<SpecChange> {
  const changes = { total: 0, rows: [] as SpecChange[] };
  collect("spec", before, after, 0, changes);
  return changes;
}

function collect(
  path: string,
  before: unknown,
  after: unknown,
  depth: number,
  changes: { total: number; readonly rows: SpecChange[] },
): void {
  if (JSON.stringify(before) === JSON.stringify(after)) return;
  const [old, now] = [childrenOf(before), childrenOf(after)];
  if (old === undefined || now === undefined || old.isList !== now.isList || depth >= DEEPEST) {
    changes.total++;
    if (changes.rows.length < CHANGES_SHOWN)
      changes.rows.push({ path, ...shown("before", before), ...shown("after", after) });
    return;
  }
  const keys = new Set([...old.values.keys(), ...now.values.keys()]);
  const sorted = old.isList ? [...keys] : [...keys].sort();
  for (const key of sorted) {
    const below = old.isList ? `${path}[${key}]` : `${path}.${key}`;
    collect(below, old.values.get(key), now.values.get(key), depth + 1, changes);
  }
}

/** In a Map, because names of fields are anybody's, `__proto__` among them. */
function childrenOf(
  value: unknown,
): { readonly isList: boolean; readonly values: ReadonlyMap<string, unknown> } | undefined {
  if (Array.isArray(value))
    return { isList: true, values: new Map(value.map((item, at) => [String(at), item])) };
  if (typeof value !== "object" || value === null) return undefined;
  return { isList: false, values: new Map(Object.entries(value)) };
}

function shown<N extends "before" | "after">(name: N, value: unknown): { readonly [K in N]?: string } {
  if (value === undefined) return {};
  return { [name]: cut(JSON.stringify(value), LONGEST_VALUE) } as { readonly [K in N]?: string };
}

/** A text that is shown; what is left out is marked. */
export function cut(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest - 1)}…`;
}

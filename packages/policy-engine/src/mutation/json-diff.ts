/**
 * The difference of two JSON objects as a JSON Patch (RFC 6902). Applied to the first it gives the second, also by the
 * API server's library; it is short, not the shortest: of two lists the beginnings and ends that are equal stay.
 */
import { isJsonList, isJsonRecord, type Json, type JsonRecord, jsonEquals } from "../cel/kubernetes/json.ts";
import type { JsonPatchOperation } from "../cel/kubernetes/json-patch.ts";

/** Values nested deeper are replaced whole where they differ. */
const deepest = 100;
/** Of lists in lists: each level compares what is below once more. */
const deepestLists = 8;

/** How far down a comparison is. */
interface Depth {
  readonly values: number;
  readonly lists: number;
}

export function jsonDiff(before: JsonRecord, after: JsonRecord): JsonPatchOperation[] {
  const operations: JsonPatchOperation[] = [];
  compareRecords(before, after, "", { values: 0, lists: 0 }, operations);
  return operations;
}

function compare(before: Json, after: Json, path: string, depth: Depth, to: JsonPatchOperation[]): void {
  const below = { ...depth, values: depth.values + 1 };
  const isDeep = depth.values >= deepest;
  if (!isDeep && isJsonRecord(before) && isJsonRecord(after)) compareRecords(before, after, path, below, to);
  else if (!isDeep && depth.lists < deepestLists && isJsonList(before) && isJsonList(after))
    compareLists(before, after, path, { ...below, lists: depth.lists + 1 }, to);
  else if (!jsonEquals(before, after)) to.push({ op: "replace", path, value: after });
}

function compareRecords(
  before: JsonRecord,
  after: JsonRecord,
  path: string,
  depth: Depth,
  to: JsonPatchOperation[],
): void {
  for (const key of Object.keys(before)) {
    if (!Object.hasOwn(after, key)) to.push({ op: "remove", path: `${path}/${escapeKey(key)}` });
  }
  for (const [key, value] of Object.entries(after)) {
    const below = `${path}/${escapeKey(key)}`;
    if (Object.hasOwn(before, key)) compare(before[key] ?? null, value, below, depth, to);
    else to.push({ op: "add", path: below, value });
  }
}

function compareLists(
  before: readonly Json[],
  after: readonly Json[],
  path: string,
  depth: Depth,
  to: JsonPatchOperation[],
): void {
  const shorter = Math.min(before.length, after.length);
  const at = (list: readonly Json[], index: number): Json => list[index] ?? null;
  let start = 0;
  while (start < shorter && jsonEquals(at(before, start), at(after, start))) start++;
  let end = 0;
  const isSameAtEnd = () =>
    jsonEquals(at(before, before.length - 1 - end), at(after, after.length - 1 - end));
  while (end < shorter - start && isSameAtEnd()) end++;
  const kept = shorter - start - end;
  for (let index = start; index < start + kept; index++)
    compare(at(before, index), at(after, index), `${path}/${index}`, depth, to);
  for (let index = before.length - end - 1; index >= start + kept; index--)
    to.push({ op: "remove", path: `${path}/${index}` });
  for (let index = start + kept; index < after.length - end; index++)
    to.push({ op: "add", path: `${path}/${index}`, value: at(after, index) });
}

/** RFC 6901 §3. */
function escapeKey(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}

import type { KubeObject, ManagedFieldsEntry } from "../kubernetes/objects.ts";
import { jsonEqual } from "./json-equal.ts";

/**
 * Decides without the server whether a server-side apply would change anything, from what the manager owns
 * (its `fieldsV1` in managedFields, KEP-555).
 *
 * It would not, when every field of `desired` is owned by the manager and has that value in `current`, and the
 * manager owns nothing that `desired` leaves out (the server would remove that). Without the schema some cases
 * cannot be told: an atomic value to which the server added defaults, a quantity the server writes differently,
 * an explicit null. They count as a change: the answer errs towards asking the server, never towards silence.
 *
 * @returns undefined when nothing would change, else the path and reason of the first difference
 */
export function differenceFromApplied(
  current: KubeObject,
  desired: KubeObject,
  manager: string,
  subresource = "",
): string | undefined {
  const entry = ownEntry(current, manager, subresource);
  if (entry === undefined) return `nothing was applied by "${manager}" yet`;
  if (entry.apiVersion !== desired.apiVersion)
    return `last applied as ${entry.apiVersion ?? "another version"}`;
  if (desired.metadata.uid !== undefined && desired.metadata.uid !== current.metadata.uid)
    return "another uid";
  if (desired.metadata.resourceVersion !== undefined) return "a resourceVersion is demanded";
  return compareRoot(entry.fieldsV1 ?? {}, desired, current);
}

/** The manager's entry of managedFields that its applies (not its updates) produced. */
export function ownEntry(
  object: KubeObject,
  manager: string,
  subresource = "",
): ManagedFieldsEntry | undefined {
  return object.metadata.managedFields?.find(
    (entry) =>
      entry.manager === manager && entry.operation === "Apply" && (entry.subresource ?? "") === subresource,
  );
}

type Fields = Readonly<Record<string, unknown>>;
type Owned = Fields;

/** Fields the server never lists as owned: they name the object or are its own. */
const unownedRoot = new Set(["apiVersion", "kind"]);
const unownedMetadata = new Set([
  "name",
  "namespace",
  "uid",
  "generation",
  "creationTimestamp",
  "selfLink",
  "resourceVersion",
  "managedFields",
]);

function compareRoot(owned: Owned, desired: KubeObject, current: KubeObject): string | undefined {
  const { metadata, ...rest } = withoutFields(desired, unownedRoot) as Fields & { metadata: Fields };
  const ownedMetadata = asFields(owned["f:metadata"]) ?? {};
  const { "f:metadata": _, ...ownedRest } = owned;
  return (
    compareFields(ownedRest, rest, current, "") ??
    compareFields(
      ownedMetadata,
      withoutFields(metadata, unownedMetadata),
      asFields(current.metadata) ?? {},
      ".metadata",
    )
  );
}

function compare(owned: unknown, desired: unknown, current: unknown, path: string): string | undefined {
  const below = asFields(owned);
  if (below === undefined) return `${path}: not owned yet`;
  if (isLeaf(below)) return jsonEqual(desired, current) ? undefined : `${path}: another value`;
  if (Array.isArray(desired)) {
    return Array.isArray(current) ? compareList(below, desired, current, path) : `${path}: no list there`;
  }
  const wanted = asFields(desired);
  const there = asFields(current);
  if (wanted === undefined) return `${path}: another value`;
  if (there === undefined) return `${path}: not there`;
  return compareFields(below, wanted, there, path);
}

function compareFields(owned: Owned, desired: Fields, current: Fields, path: string): string | undefined {
  for (const name in desired) {
    const value = desired[name];
    if (value === undefined) continue; // JSON leaves it out
    const here = `${path}.${name}`;
    if (!Object.hasOwn(owned, `f:${name}`)) return `${here}: not owned yet`;
    if (!Object.hasOwn(current, name)) return `${here}: not there`;
    const difference = compare(owned[`f:${name}`], value, current[name], here);
    if (difference !== undefined) return difference;
  }
  for (const element in owned) {
    if (element === ".") continue;
    if (!element.startsWith("f:")) return `${path}: owned as ${element}`;
    const name = element.slice(2);
    if (!Object.hasOwn(desired, name) || desired[name] === undefined)
      return `${path}.${name}: no longer desired`;
  }
  return undefined;
}

/** A granular list: owned by key (`k:`) or by value (`v:`). */
function compareList(
  owned: Owned,
  desired: readonly unknown[],
  current: readonly unknown[],
  path: string,
): string | undefined {
  const elements = Object.keys(owned).filter((element) => element !== ".");
  if (elements.length !== desired.length) return `${path}: other elements`;
  const unmatched = new Set(desired.keys());
  const places: number[] = [];
  for (const element of elements) {
    const index = findDesired(element, desired, unmatched);
    if (index === undefined) return `${path}[${element}]: no longer desired`;
    unmatched.delete(index);
    const place = current.findIndex((item) => isElement(element, item, false));
    if (place < 0) return `${path}[${element}]: not there`;
    places[index] = place;
    const below = asFields(owned[element]) ?? {};
    const difference = element.startsWith("v:")
      ? undefined
      : compare(below, desired[index], current[place], `${path}[${element}]`);
    if (difference !== undefined) return difference;
  }
  // the server puts the elements in the order we apply them in
  const isOrdered = places.every((place, index) => index === 0 || place > (places[index - 1] ?? 0));
  return isOrdered ? undefined : `${path}: another order`;
}

function findDesired(
  element: string,
  desired: readonly unknown[],
  unmatched: ReadonlySet<number>,
): number | undefined {
  for (const index of unmatched) if (isElement(element, desired[index], true)) return index;
  return undefined;
}

/** Whether `item` is the list element a path element names. `mayOmitKeys`: an applied item may leave keys to defaults. */
function isElement(element: string, item: unknown, mayOmitKeys: boolean): boolean {
  if (element.startsWith("v:")) return jsonEqual(parseJson(element.slice(2)), item);
  if (!element.startsWith("k:")) return false; // by index: not understood, so a change
  const keys = asFields(parseJson(element.slice(2)));
  const fields = asFields(item);
  if (keys === undefined || fields === undefined) return false;
  let matches = 0;
  for (const name in keys) {
    if (fields[name] === undefined && mayOmitKeys) continue;
    if (!jsonEqual(fields[name], keys[name])) return false;
    matches++;
  }
  return matches > 0;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** `{}`: owned as a whole, nothing below is told apart. */
function isLeaf(owned: Owned): boolean {
  for (const element in owned) if (element !== ".") return false;
  return true;
}

function asFields(value: unknown): Fields | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

function withoutFields(fields: object, names: ReadonlySet<string>): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.has(name)));
}

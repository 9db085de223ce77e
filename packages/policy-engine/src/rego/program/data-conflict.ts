/** Rules and the documents that come with them share one tree. */
import type { RegoPlan } from "../plan/index.ts";
import type { PlainObject, RegoValue } from "../values.ts";

/** The data of a bundle are JSON documents: there are neither sets nor objects with other keys than text in it. */
export function isStoredObject(value: RegoValue | undefined): value is PlainObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The path of a rule that stands where there is a document already, or below one that has no parts: OPA activates no such
 * bundle (v1/ast CheckPathConflicts, v1/storage NonEmpty).
 */
export function conflictingPath(
  data: PlainObject,
  rules: Iterable<readonly string[]>,
): readonly string[] | undefined {
  for (const path of rules) {
    let value: RegoValue | undefined = data;
    for (const name of path) {
      if (value === undefined) break;
      if (!isStoredObject(value)) return path;
      value = Object.hasOwn(value, name) ? value[name] : undefined;
    }
    if (value !== undefined) return path;
  }
  return undefined;
}

/** Throws `RangeError` where a rule that the plan needs stands where there is a document, of which OPA says `conflicting rule for data path`. */
export function refuseConflicts({ functions }: Pick<RegoPlan, "functions">, data: PlainObject): void {
  // A rule takes input and data; its path begins with the planner's generation (OPA's v1/ir).
  const rules = functions.filter(({ params, path }) => params.length === 2 && path.length > 1);
  const conflict = conflictingPath(
    data,
    rules.map(({ path }) => path.slice(1)),
  );
  if (conflict === undefined) return;
  throw new RangeError(
    `rule data.${conflict.join(".")} conflicts with the data of the bundle, which has a document at that place, or above it: give the rule another name or package, or move the document`,
  );
}

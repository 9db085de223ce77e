import type { Library } from "../library.ts";
import { BOOL, listType, typeParam } from "../types.ts";
import { type CelValue, isList } from "../values.ts";
import { workOf } from "../work.ts";
import { functions, shape } from "./declare.ts";
import { noSuchOverload } from "./kubernetes-types.ts";
import { isSame } from "./search.ts";

/** cel-go ext/sets.go: lists taken as sets, by CEL's equality (1 and 1.0 are one element). */

const LIST_OF_T = listType(typeParam("T"));

function asList(value: CelValue): readonly CelValue[] {
  if (!isList(value)) throw noSuchOverload();
  return value;
}

const has = (set: readonly CelValue[], element: CelValue): boolean =>
  set.some((candidate) => isSame(element, candidate));

const contains = (set: CelValue, subset: CelValue): boolean =>
  asList(subset).every((element) => has(asList(set), element));

const intersects = (a: CelValue, b: CelValue): boolean =>
  asList(a).some((element) => has(asList(b), element));

function relation(name: string, id: string, holds: (a: CelValue, b: CelValue) => boolean) {
  const related = shape(id, [LIST_OF_T, LIST_OF_T], BOOL, (a = null, b = null) => holds(a, b));
  // Every element of one may be compared with every one of the other; what is beyond MAX_WORK is far beyond the cost.
  return functions(name, { ...related, work: (a = null, b = null) => workOf(a) * workOf(b) });
}

export const setsLibrary: Library = {
  name: "cel.lib.ext.sets",
  functions: [
    relation("sets.contains", "list_sets_contains_list", contains),
    relation("sets.equivalent", "list_sets_equivalent_list", (a, b) => contains(a, b) && contains(b, a)),
    relation("sets.intersects", "list_sets_intersects_list", intersects),
  ],
};

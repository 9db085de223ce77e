/** Which function of an expression servers were the last to get. */
import type { CheckedAst } from "../checked.ts";
import { introducedInMinor, twoVariableMinor } from "../kubernetes/libraries.ts";
import { admissionLibraries } from "./libraries.ts";
import { walk } from "./walk.ts";

export interface NewestFunction {
  /** As policies write it. */
  readonly name: string;
  /** The minor version of Kubernetes 1 that it came with. */
  readonly minor: number;
}

/** The minor version that brought the last of all functions that policies may call. */
export const newestMinor = Math.max(
  ...admissionLibraries.flatMap(({ functions }) =>
    functions.flatMap(({ overloads }) => overloads.map(({ id }) => introducedInMinor(id) ?? 0)),
  ),
);

/** What macros come down to that call a function policies do not see. */
const writtenAs: ReadonlyMap<string, string> = new Map([["@sortByAssociatedKeys", "sortBy"]]);

/** Undefined where it calls nothing but what every server has. */
export function newestFunction(checked: CheckedAst): NewestFunction | undefined {
  let newest: NewestFunction | undefined;
  const note = (name: string, minor: number): void => {
    if (minor > (newest?.minor ?? 0)) newest = { name, minor };
  };
  for (const reference of checked.references.values()) {
    if (reference.kind !== "call") continue;
    // Of a value whose type is not known, any overload may be the one that is called.
    for (const { id } of reference.overloads)
      note(writtenAs.get(reference.name) ?? reference.name, introducedInMinor(id) ?? 0);
  }
  walk(checked.expr, (expr) => {
    if (expr.kind === "comprehension" && expr.iterVar2 !== undefined)
      note("a macro with two variables", twoVariableMinor);
  });
  return newest;
}

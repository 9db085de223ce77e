import type { CelEnvironment } from "./environment.ts";
import type { FunctionDeclaration, Overload } from "./library.ts";
import { CROSS_TYPE_OVERLOADS } from "./standard/operators.ts";
import { CelType, DYN, sameType } from "./types.ts";
import { isDyn, type Unification } from "./unification.ts";

export interface Resolution {
  /** Those that the types of the arguments leave open. */
  readonly overloads: readonly Overload[];
  readonly result: CelType;
}

/** Finds the overloads that fit types of arguments; undefined when none does. */
export function resolveOverloads(
  env: CelEnvironment,
  unification: Unification,
  declaration: FunctionDeclaration,
  args: readonly CelType[],
  isMember: boolean,
): Resolution | undefined {
  const fitting: Overload[] = [];
  let result: CelType | undefined;
  for (const overload of declaration.overloads) {
    if (overload.isMember !== isMember || isDisabled(env, overload)) continue;
    const fresh = instantiate(overload, unification);
    if (!unification.assignAll(args, fresh.params)) continue;
    fitting.push(overload);
    const type = unification.substitute(fresh.result, false);
    if (result === undefined) result = type;
    else if (!isDyn(result) && !sameType(type, result)) result = DYN;
  }
  return result === undefined ? undefined : { overloads: fitting, result };
}

function isDisabled(env: CelEnvironment, overload: Overload): boolean {
  return env.options.crossTypeNumericComparisons !== true && CROSS_TYPE_OVERLOADS.has(overload.id);
}

/** The overload's types with a fresh variable for each of its parameters. */
function instantiate(overload: Overload, unification: Unification): Pick<Overload, "params" | "result"> {
  const variables = new Map<string, CelType>();
  const replace = (type: CelType): CelType => {
    if (type.kind === "param") {
      const known = variables.get(type.name) ?? unification.newVariable();
      variables.set(type.name, known);
      return known;
    }
    return type.params.length === 0 ? type : new CelType(type.kind, type.name, type.params.map(replace));
  };
  return { params: overload.params.map(replace), result: replace(overload.result) };
}

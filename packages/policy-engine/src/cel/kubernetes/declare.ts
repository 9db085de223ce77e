import type { FunctionDeclaration, Overload } from "../library.ts";
import type { CelType } from "../types.ts";
import type { CelValue } from "../values.ts";
import { kubernetesCost } from "./cost.ts";

/** What an overload does, its name and kind aside. */
type OverloadShape = Pick<Overload, "id" | "params" | "result"> & {
  readonly call: (...args: CelValue[]) => CelValue;
};

/** `receiver.name(…)`: `params` starts with the receiver's type. Costs come from the table in `cost.ts`. */
export function methods(name: string, ...shapes: readonly OverloadShape[]): FunctionDeclaration {
  return { name, overloads: shapes.map((shape) => overload(name, shape, true)) };
}

/** `name(…)`. */
export function functions(name: string, ...shapes: readonly OverloadShape[]): FunctionDeclaration {
  return { name, overloads: shapes.map((shape) => overload(name, shape, false)) };
}

function overload(name: string, shape: OverloadShape, isMember: boolean): Overload {
  const cost = kubernetesCost(name, shape.id);
  return cost === undefined ? { ...shape, isMember } : { ...shape, isMember, cost };
}

/** One overload, for `methods` and `functions`. */
export function shape(
  id: string,
  params: readonly CelType[],
  result: CelType,
  call: (...args: CelValue[]) => CelValue,
): OverloadShape {
  return { id, params, result, call };
}

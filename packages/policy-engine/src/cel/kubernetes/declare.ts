import type { FunctionDeclaration, Overload } from "../library.ts";
import type { CelType } from "../types.ts";
import type { CelValue } from "../values.ts";
import { workOf } from "../work.ts";
import { kubernetesCost } from "./cost.ts";

/** What an overload does, its name and kind aside. */
type OverloadShape = Pick<Overload, "id" | "params" | "result" | "work"> & {
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
  const factor = readerWork.get(name);
  const work = factor === undefined ? {} : { work: sizesTimes(factor) };
  return cost === undefined ? { ...work, ...shape, isMember } : { ...work, ...shape, isMember, cost };
}

/**
 * How much more the readers of text take than to read it once: they go by single characters, and make values of the
 * parts they find.
 */
const readerWork: ReadonlyMap<string, number> = new Map([
  ...["url", "isURL", "validate"].map((name) => [name, 200] as const),
  ...["semver", "isSemver"].map((name) => [name, 100] as const),
  ...["cidr", "isCIDR", "ip", "isIP", "ip.isCanonical"].map((name) => [name, 40] as const),
  ...["quantity", "isQuantity"].map((name) => [name, 100] as const),
  ...["fieldSelector", "labelSelector"].map((name) => [name, 100] as const),
]);

function sizesTimes(factor: number): NonNullable<Overload["work"]> {
  return (...args) => factor * args.reduce((sum: number, arg) => sum + workOf(arg), 0);
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

import { CelError } from "./errors.ts";
import type { Eval, Frame } from "./frame.ts";
import type { CelValue } from "./values.ts";

export const noOverload = (): CelError => new CelError("no such overload");

/** A left side of `&&` or `||` without a value is forgotten if the right side settles the result. */
export function rescue(right: Eval, frame: Frame, decisive: boolean, error: unknown): boolean {
  if (!(error instanceof CelError)) throw error;
  let other: CelValue;
  try {
    other = right(frame);
  } catch (rightError) {
    if (!(rightError instanceof CelError)) throw rightError;
    throw error;
  }
  if (other === decisive) return decisive;
  throw error;
}

/** A second operand is evaluated, for its cost, though the first one has no value. Returns what to throw. */
export function afterFirst(error: unknown, second: Eval, frame: Frame): unknown {
  if (!(error instanceof CelError)) return error;
  try {
    second(frame);
  } catch (secondError) {
    if (!(secondError instanceof CelError)) return secondError;
  }
  return error;
}

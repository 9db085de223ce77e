/** `array.*` (OPA's v1/topdown/array.go). */
import { isArray, type RegoValue } from "../values.ts";
import type { Builtin } from "./contract.ts";
import { refuseManyElements } from "./limits.ts";
import { arrayOperand, builtin, freeBuiltin, intOperand } from "./operands.ts";

const clamp = (value: number, low: number, high: number) => Math.max(low, Math.min(value, high));

export const arrayBuiltins: readonly Builtin[] = [
  builtin("array.concat", 2, (args, context) => {
    const left = arrayOperand(args, 1);
    const right = arrayOperand(args, 2);
    refuseManyElements(left.length + right.length);
    context.spend(left.length + right.length);
    return [...left, ...right];
  }),
  builtin("array.flatten", 1, (args, context) => {
    const result: RegoValue[] = [];
    for (const item of arrayOperand(args, 1)) {
      const nested = isArray(item) ? item : [item];
      refuseManyElements(result.length + nested.length);
      context.spend(nested.length);
      for (const value of nested) {
        result.push(value);
      }
    }
    return result;
  }),
  freeBuiltin("array.slice", 3, (args, context) => {
    const list = arrayOperand(args, 1);
    const start = intOperand(args, 2);
    const stop = clamp(intOperand(args, 3), 0, list.length);
    const result = list.slice(clamp(start, 0, stop), stop);
    context.spend(result.length);
    return result;
  }),
  builtin("array.reverse", 1, (args, context) => {
    const list = arrayOperand(args, 1);
    context.spend(list.length);
    return list.toReversed();
  }),
];

/** The operators on sets and `union`, `intersection` of a set of sets (OPA's v1/topdown/binary.go and sets.go). */
import { RegoSet } from "../values.ts";
import { difference } from "./arithmetic.ts";
import type { Builtin, BuiltinContext } from "./contract.ts";
import { refuseManyElements } from "./limits.ts";
import { asSet, builtin, setOperand } from "./operands.ts";

function intersect(left: RegoSet, right: RegoSet, context: BuiltinContext): RegoSet {
  const [small, large] = left.size <= right.size ? [left, right] : [right, left];
  const result = new RegoSet();
  for (const item of small) {
    context.spend(1);
    if (large.has(item)) {
      result.add(item);
    }
  }
  return result;
}

function unite(sets: readonly RegoSet[], context: BuiltinContext): RegoSet {
  const result = new RegoSet();
  for (const set of sets) {
    for (const item of set) {
      context.spend(1);
      result.add(item);
    }
    refuseManyElements(result.size);
  }
  return result;
}

export const setBuiltins: readonly Builtin[] = [
  builtin("and", 2, (args, context) => intersect(setOperand(args, 1), setOperand(args, 2), context)),
  builtin("or", 2, (args, context) => unite([setOperand(args, 1), setOperand(args, 2)], context)),
  builtin("set_diff", 2, (args) => difference(setOperand(args, 1), setOperand(args, 2))),
  builtin("intersection", 1, (args, context) => {
    let result: RegoSet | undefined;
    for (const item of setOperand(args, 1).sorted()) {
      const set = asSet(item, 1);
      result = result === undefined ? set : intersect(result, set, context);
    }
    return result ?? new RegoSet();
  }),
  builtin("union", 1, (args, context) =>
    unite(
      setOperand(args, 1)
        .sorted()
        .map((item) => asSet(item, 1)),
      context,
    ),
  ),
];

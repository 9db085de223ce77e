/** `numbers.range`, `numbers.range_step`, `rand.intn` (OPA's v1/topdown/numbers.go). */
import { integer, type RegoNumber, type RegoValue } from "../values.ts";
import type { Builtin, BuiltinContext } from "./contract.ts";
import { refuseManyElements } from "./limits.ts";
import { bigIntOperand, builtin, failure, intOperand, textOperand } from "./operands.ts";

/** Numbers made before the next are paid for: some ten microseconds' worth. */
const countedTogether = 256;

/** From `first` towards `last`, both included when a step lands there. */
function range(first: bigint, last: bigint, step: bigint, context: BuiltinContext): readonly RegoNumber[] {
  const span = first <= last ? last - first : first - last;
  const count = span / step + 1n;
  refuseManyElements(Number(count));
  const direction = first <= last ? step : -step;
  const numbers: RegoNumber[] = [];
  for (let index = 0; index < Number(count); index += 1) {
    if (index % countedTogether === 0) {
      context.spend(Math.min(countedTogether, Number(count) - index));
    }
    numbers.push(integer(first + BigInt(index) * direction));
  }
  return numbers;
}

function rangeStep(args: readonly RegoValue[], context: BuiltinContext): readonly RegoNumber[] {
  const first = bigIntOperand(args, 1);
  const last = bigIntOperand(args, 2);
  const step = bigIntOperand(args, 3);
  if (step <= 0n) {
    throw failure("numbers.range_step: step must be a positive integer");
  }
  return range(first, last, step, context);
}

/** Evenly from 0 to below `limit`, by refusing the draws that would favour small numbers. */
function draw(limit: number, randomBytes: (count: number) => Uint8Array): number {
  const size = BigInt(limit);
  const space = 2n ** 64n;
  const fair = space - (space % size);
  for (let attempt = 0; attempt < 64; attempt += 1) {
    const bytes = randomBytes(8);
    const value = Buffer.from(bytes).readBigUInt64BE(0);
    if (value < fair) {
      return Number(value % size);
    }
  }
  throw failure("the source of randomness yields nothing usable");
}

/** The same within a query for the same name and limit. */
function randIntn(args: readonly RegoValue[], context: BuiltinContext): number {
  const name = textOperand(args, 1);
  const limit = Math.abs(intOperand(args, 2));
  if (limit === 0) {
    return 0;
  }
  const key = `rand.intn:${limit}:${name}`;
  const known = context.queryCache.get(key);
  if (typeof known === "number") {
    return known;
  }
  const value = draw(limit, context.randomBytes);
  context.queryCache.set(key, value);
  return value;
}

export const numberBuiltins: readonly Builtin[] = [
  builtin("numbers.range", 2, (args, context) =>
    range(bigIntOperand(args, 1), bigIntOperand(args, 2), 1n, context),
  ),
  builtin("numbers.range_step", 3, rangeStep),
  builtin("rand.intn", 2, randIntn),
];

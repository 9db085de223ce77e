/** `bits.*`: operations on integers of any size, negative ones in two's complement (OPA's v1/topdown/bits.go). */
import { integer } from "../values.ts";
import { boundedInteger } from "./arithmetic.ts";
import { type Builtin, type BuiltinContext, LimitError } from "./contract.ts";
import { bitLength } from "./go/big-float.ts";
import { maxIntegerBits } from "./limits.ts";
import { bigIntOperand, builtin, operandError } from "./operands.ts";

function binary(name: string, operation: (x: bigint, y: bigint, context: BuiltinContext) => bigint): Builtin {
  return builtin(name, 2, (args, context) =>
    boundedInteger(operation(bigIntOperand(args, 1), bigIntOperand(args, 2), context)),
  );
}

function refuseNegativeShift(count: bigint): void {
  if (count < 0n) {
    throw operandError(2, "must be an unsigned integer number but got a negative integer");
  }
}

function shiftLeft(value: bigint, count: bigint, context: BuiltinContext): bigint {
  refuseNegativeShift(count);
  const bits = bitLength(value < 0n ? -value : value);
  if (value !== 0n && BigInt(bits) + count > BigInt(maxIntegerBits)) {
    throw new LimitError(`the result is an integer of more than ${maxIntegerBits} bits`);
  }
  context.spend(Math.ceil(bits / 64));
  return value === 0n ? 0n : value << count;
}

function shiftRight(value: bigint, count: bigint): bigint {
  refuseNegativeShift(count);
  if (count > BigInt(maxIntegerBits)) {
    return value < 0n ? -1n : 0n;
  }
  return value >> count;
}

export const bitsBuiltins: readonly Builtin[] = [
  binary("bits.and", (x, y) => x & y),
  binary("bits.or", (x, y) => x | y),
  binary("bits.xor", (x, y) => x ^ y),
  binary("bits.lsh", shiftLeft),
  binary("bits.rsh", shiftRight),
  builtin("bits.negate", 1, (args) => integer(~bigIntOperand(args, 1))),
];

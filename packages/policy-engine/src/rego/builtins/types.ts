/** `is_*`, `type_name`, `to_number` and the deprecated casts (OPA's v1/topdown/type.go, casts.go). */
import { isSet, type RegoNumber, RegoSet, type RegoValue, type TypeName, typeName } from "../values.ts";
import type { Builtin } from "./contract.ts";
import { decimalParts, isDigit, numberOfParts } from "./go/number-text.ts";
import { goQuote } from "./go/quote.ts";
import { builtin, failure, freeBuiltin, listOf, operand, operandError, wrongType } from "./operands.ts";

const NOT_NUMBERS: ReadonlySet<string> = new Set(["inf", "infinity", "nan"]);

function trimSigns(text: string): string {
  let start = 0;
  while (text[start] === "+" || text[start] === "-") {
    start += 1;
  }
  return text.slice(start);
}

/** Go lets an underscore stand between two digits. */
function withoutSeparators(text: string): string {
  const parts = text.split("_");
  const joins = parts.every(
    (part, index) =>
      (index === 0 || isDigit(part.charCodeAt(0))) &&
      (index === parts.length - 1 || isDigit(part.charCodeAt(part.length - 1))),
  );
  return joins ? parts.join("") : text;
}

function numberOfText(text: string): RegoNumber {
  if (NOT_NUMBERS.has(trimSigns(text).toLowerCase())) {
    throw operandError(1, "must be valid number string but got string");
  }
  const parts = decimalParts(withoutSeparators(text));
  if (parts === undefined) {
    throw failure(`strconv.ParseFloat: parsing ${goQuote(text)}: invalid syntax`);
  }
  const value = numberOfParts(parts);
  if (value === undefined || Math.abs(Number(value)) > Number.MAX_VALUE) {
    throw failure(`strconv.ParseFloat: parsing ${goQuote(text)}: value out of range`);
  }
  return value;
}

function toNumber(value: RegoValue): RegoNumber {
  if (value === null || typeof value === "boolean") {
    return value === true ? 1 : 0;
  }
  if (typeof value === "number" || typeof value === "bigint") {
    return value;
  }
  if (typeof value === "string") {
    return numberOfText(value);
  }
  throw wrongType(1, value, "null", "boolean", "number", "string");
}

function typeTest(type: TypeName): Builtin {
  return freeBuiltin(`is_${type}`, 1, (args) => typeName(operand(args, 1)) === type);
}

/** A cast to a type nothing else converts to: it only checks. */
function checkingCast(type: TypeName): Builtin {
  return builtin(`cast_${type}`, 1, (args) => {
    const value = operand(args, 1);
    if (typeName(value) !== type) {
      throw wrongType(1, value, type);
    }
    return value;
  });
}

function castList(value: RegoValue): readonly RegoValue[] {
  const list = listOf(value);
  if (list === undefined) {
    throw wrongType(1, value, "array", "set");
  }
  return list;
}

export const typeBuiltins: readonly Builtin[] = [
  ...(["null", "boolean", "number", "string", "array", "object", "set"] as const).map(typeTest),
  freeBuiltin("type_name", 1, (args) => typeName(operand(args, 1))),
  builtin("to_number", 1, (args) => toNumber(operand(args, 1))),
  ...(["null", "boolean", "string", "object"] as const).map(checkingCast),
  builtin("cast_array", 1, (args) => castList(operand(args, 1))),
  builtin("cast_set", 1, (args) => {
    const value = operand(args, 1);
    return isSet(value) ? value : new RegoSet(castList(value));
  }),
];

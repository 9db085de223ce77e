/** `json.marshal` and its kin (OPA's v1/topdown/encoding.go). */
import { getKey, type RegoValue, sortedKeysOf } from "../values.ts";
import { type Builtin, type BuiltinContext, LimitError } from "./contract.ts";
import { JsonSyntaxError, parseJson } from "./go/json-parse.ts";
import { jsonText } from "./go/json-text.ts";
import { refuseLongText } from "./limits.ts";
import { builtin, failure, objectOperand, operand, operandError, textOperand } from "./operands.ts";
import { valueText } from "./value-text.ts";

/** Indentation and prefix repeat on every line. */
const maxAffixLength = 256;

function written(text: string, context: BuiltinContext): string {
  refuseLongText(text.length);
  context.spend(1 + Math.floor(text.length / 16));
  return text;
}

interface Options {
  prefix: string;
  indent: string;
  implicit: boolean;
  pretty: boolean | undefined;
}

function affix(key: string, value: RegoValue): string {
  if (typeof value !== "string") {
    throw operandError(2, `key ${valueText(key)} failed cast to string: operand 2 must be string`);
  }
  if (value.length > maxAffixLength) {
    throw new LimitError(`${valueText(key)} may have at most ${maxAffixLength} characters`);
  }
  return value;
}

function readOption(options: Options, key: RegoValue, value: RegoValue): void {
  switch (key) {
    case "prefix":
      options.prefix = affix(key, value);
      options.implicit = true;
      return;
    case "indent":
      options.indent = affix(key, value);
      options.implicit = true;
      return;
    case "pretty":
      if (typeof value !== "boolean") {
        throw operandError(2, `key ${valueText(key)} failed cast to bool`);
      }
      options.pretty = value;
      return;
    default:
      throw operandError(2, `object contained unknown key ${valueText(key)}`);
  }
}

function marshalWithOptions(args: readonly RegoValue[], context: BuiltinContext): string {
  const given = objectOperand(args, 2);
  const options: Options = { prefix: "", indent: "\t", implicit: false, pretty: undefined };
  for (const key of sortedKeysOf(given)) {
    readOption(options, key, getKey(given, key) ?? null);
  }
  if (!(options.pretty ?? options.implicit)) {
    return written(jsonText(operand(args, 1)), context);
  }
  return written(options.prefix + jsonText(operand(args, 1), options), context);
}

/** @throws BuiltinError when a text is no JSON. */
export function unmarshalJson(text: string): RegoValue {
  try {
    return parseJson(text);
  } catch (error) {
    throw error instanceof JsonSyntaxError ? failure(error.message, error) : error;
  }
}

function isJson(text: string): boolean {
  try {
    parseJson(text);
    return true;
  } catch (error) {
    if (error instanceof JsonSyntaxError) {
      return false;
    }
    throw error;
  }
}

export const jsonBuiltins: readonly Builtin[] = [
  builtin("json.marshal", 1, (args, context) => written(jsonText(operand(args, 1)), context)),
  builtin("json.marshal_with_options", 2, marshalWithOptions),
  builtin("json.unmarshal", 1, (args, context) => {
    const text = textOperand(args, 1);
    context.spend(1 + Math.floor(text.length / 4));
    return unmarshalJson(text);
  }),
  builtin("json.is_valid", 1, (args, context) => {
    const text = operand(args, 1);
    if (typeof text !== "string") {
      return false;
    }
    context.spend(1 + Math.floor(text.length / 4));
    return isJson(text);
  }),
];

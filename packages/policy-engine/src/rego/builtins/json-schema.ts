/** `json.match_schema` and `json.verify_schema` (OPA's v1/topdown/jsonschema.go). */
import { isArray, isObject, type RegoValue } from "../values.ts";
import { type Builtin, type BuiltinContext, BuiltinError } from "./contract.ts";
import { JsonSyntaxError, parseJson } from "./go/json-parse.ts";
import { jsonText } from "./go/json-text.ts";
import { checkSchema } from "./json-schema-check.ts";
import { SchemaMatch } from "./json-schema-match.ts";
import { builtin, failure, operand } from "./operands.ts";

/** A document given as a value or as JSON text; what is no JSON in Rego (sets, other keys) becomes it. */
function documentOf(value: RegoValue, context: BuiltinContext): RegoValue {
  let text: string;
  if (typeof value === "string") {
    text = value;
  } else if (isObject(value) || isArray(value)) {
    text = jsonText(value);
  } else {
    throw failure("wrong type, expected string or object");
  }
  context.spend(1 + Math.floor(text.length / 4));
  try {
    return parseJson(text);
  } catch (error) {
    throw error instanceof JsonSyntaxError ? failure("invalid JSON string", error) : error;
  }
}

function match(args: readonly RegoValue[], context: BuiltinContext): RegoValue {
  const document = documentOf(operand(args, 1), context);
  const schema = documentOf(operand(args, 2), context);
  checkSchema(schema);
  const match = new SchemaMatch(schema, context);
  const errors = match.errorsOf(document);
  return [
    errors.length === 0,
    errors.map(({ field, type, description }) => ({
      error: `${field}: ${description}`,
      type,
      field,
      desc: description,
    })),
  ];
}

function verify(args: readonly RegoValue[], context: BuiltinContext): RegoValue {
  try {
    checkSchema(documentOf(operand(args, 1), context));
    return [true, null];
  } catch (error) {
    if (error instanceof BuiltinError) {
      return [false, `jsonschema: ${error.message}`];
    }
    throw error;
  }
}

export const jsonSchemaBuiltins: readonly Builtin[] = [
  builtin("json.match_schema", 2, match),
  builtin("json.verify_schema", 1, verify),
];

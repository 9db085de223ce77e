/**
 * Whether a value is a JSON Schema (drafts 4, 6 and 7 together, as OPA's internal/gojsonschema takes them). Schemas
 * elsewhere are not fetched: a reference stays within its document.
 */

import { type AnyObject, entriesOf, getKey, isArray, isNumber, isObject, type RegoValue } from "../values.ts";
import { LimitError } from "./contract.ts";
import { failure } from "./operands.ts";
import { isPattern } from "./patterns.ts";

/** Schemas within schemas, references not followed. */
const maxSchemaDepth = 200;
/** Schemas of one document. */
const maxSchemas = 20_000;

export const schemaTypes: ReadonlySet<string> = new Set([
  "array",
  "boolean",
  "integer",
  "number",
  "null",
  "object",
  "string",
]);

type Check = (key: string, value: RegoValue) => void;

const must = (holds: boolean, message: string): void => {
  if (!holds) {
    throw failure(message);
  }
};

const isType =
  (test: (value: RegoValue) => boolean, type: string): Check =>
  (key, value) =>
    must(test(value), `Invalid type. Expected: ${type}, given: ${key}`);

const text: Check = (key, value) => must(typeof value === "string", `${key} must be of type string`);
const number: Check = (key, value) => must(isNumber(value), `${key} must be of a number`);
const flag: Check = (key, value) => must(typeof value === "boolean", `${key} must be of type boolean`);

const count: Check = (key, value) => {
  must(isNumber(value) && Number.isInteger(Number(value)), `${key} must be of an integer`);
  must(Number(value) >= 0, `${key} must be greater than or equal to 0`);
};

const positive: Check = (key, value) => {
  number(key, value);
  must(Number(value) > 0, `${key} must be strictly greater than 0`);
};

const pattern: Check = (key, value) => {
  text(key, value);
  must(typeof value === "string" && value.length <= 4096 && isPattern(value), `${key} must be a valid regex`);
};

const numberOrFlag: Check = (key, value) =>
  must(isNumber(value) || typeof value === "boolean", `${key} must be of a boolean/number`);

const textList: Check = (key, value) => {
  must(isArray(value), `${key} must be of an array`);
  must(
    isArray(value) && value.every((item) => typeof item === "string"),
    `${key} items must be of type string`,
  );
};

function isTypeName(value: RegoValue): void {
  must(typeof value === "string", "Invalid type. Expected: type, given: string/Array Of Strings");
  must(
    schemaTypes.has(String(value)),
    `has a primitive type that is NOT VALID -- given: /${String(value)}/ Expected valid values are:[array boolean integer number null object string]`,
  );
}

const typeCheck: Check = (_, value) => {
  if (isArray(value)) {
    value.forEach(isTypeName);
  } else {
    isTypeName(value);
  }
};

const CHECKS: ReadonlyMap<string, Check> = new Map<string, Check>([
  ["$ref", text],
  ["$id", text],
  ["title", text],
  ["description", text],
  ["type", typeCheck],
  ["format", text],
  ["pattern", pattern],
  ["multipleOf", positive],
  ["minimum", number],
  ["maximum", number],
  ["exclusiveMinimum", numberOrFlag],
  ["exclusiveMaximum", numberOrFlag],
  ["minLength", count],
  ["maxLength", count],
  ["minItems", count],
  ["maxItems", count],
  ["minProperties", count],
  ["maxProperties", count],
  ["uniqueItems", flag],
  ["required", textList],
  ["enum", isType(isArray, "array")],
]);

const SCHEMAS = [
  "not",
  "contains",
  "propertyNames",
  "additionalProperties",
  "additionalItems",
  "if",
  "then",
  "else",
];
const SCHEMA_LISTS = ["allOf", "anyOf", "oneOf"];
const SCHEMA_MAPS = ["properties", "patternProperties", "definitions", "$defs"];

interface Progress {
  schemas: number;
}

function checkMap(key: string, value: RegoValue, depth: number, progress: Progress): void {
  must(isObject(value), `${key === "properties" ? "Properties" : key} must be of type object`);
  for (const [name, schema] of entriesOf(value as AnyObject)) {
    if (key === "patternProperties") {
      pattern(String(name), name);
    }
    check(schema, depth + 1, progress);
  }
}

function checkList(key: string, value: RegoValue, depth: number, progress: Progress): void {
  must(isArray(value), `${key} must be of type array`);
  for (const schema of value as readonly RegoValue[]) {
    check(schema, depth + 1, progress);
  }
}

function checkDependencies(value: RegoValue, depth: number, progress: Progress): void {
  must(isObject(value), "dependencies must be of type object");
  for (const [name, dependency] of entriesOf(value as AnyObject)) {
    if (isArray(dependency)) {
      textList(String(name), dependency);
    } else {
      check(dependency, depth + 1, progress);
    }
  }
}

function check(schema: RegoValue, depth: number, progress: Progress): void {
  if (depth >= maxSchemaDepth) {
    throw new LimitError(`schemas are nested more than ${maxSchemaDepth} deep`);
  }
  progress.schemas += 1;
  if (progress.schemas >= maxSchemas) {
    throw new LimitError(`a schema of more than ${maxSchemas} schemas`);
  }
  if (typeof schema === "boolean") {
    return;
  }
  must(isObject(schema), "schema must be of type object/boolean");
  const object = schema as AnyObject;
  for (const [key, test] of CHECKS) {
    const value = getKey(object, key);
    if (value !== undefined) {
      test(key, value);
    }
  }
  checkNested(object, depth, progress);
}

function checkNested(object: AnyObject, depth: number, progress: Progress): void {
  const visit = (keys: readonly string[], work: (key: string, value: RegoValue) => void) => {
    for (const key of keys) {
      const value = getKey(object, key);
      if (value !== undefined) {
        work(key, value);
      }
    }
  };
  visit(SCHEMAS, (_, value) => check(value, depth + 1, progress));
  visit(SCHEMA_LISTS, (key, value) => checkList(key, value, depth, progress));
  visit(SCHEMA_MAPS, (key, value) => checkMap(key, value, depth, progress));
  visit(["dependencies"], (_, value) => checkDependencies(value, depth, progress));
  visit(["items"], (key, value) =>
    isArray(value) ? checkList(key, value, depth, progress) : check(value, depth + 1, progress),
  );
}

/** @throws BuiltinError that says what is no schema. */
export function checkSchema(schema: RegoValue): void {
  check(schema, 0, { schemas: 0 });
}

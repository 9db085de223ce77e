import { setOwnKey } from "../../own-key.ts";
import { CelError } from "../errors.ts";
import { mapEntries } from "../maps.ts";
import { toText } from "../standard/conversions.ts";
import {
  CelDouble,
  CelDuration,
  CelMap,
  CelOptional,
  CelStruct,
  CelTimestamp,
  CelUint,
  type CelValue,
  isJsonObject,
  isList,
  typeOf,
} from "../values.ts";
import { quote } from "./go-strings.ts";
import { type Json, type JsonRecord, maxJsonDepth } from "./json.ts";
import type { JsonPatchOperation } from "./json-patch.ts";
import { JsonPatchStruct, OBJECT_TYPE } from "./patch-types.ts";

/** From what a mutation expression returned to what is applied to the object. */

/** The JSON of a CEL value, as cel-go converts to protobuf's JSON. Throws CelError for values that have none. */
export function celToJson(value: CelValue): Json {
  return toJson(value, 0);
}

function toJson(value: CelValue, depth: number): Json {
  if (depth > maxJsonDepth) throw new CelError(`value is nested deeper than ${maxJsonDepth} levels`);
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return finite(value);
  // Protobuf writes integers that a double cannot hold as strings.
  if (typeof value === "bigint") return value.toString();
  if (isList(value)) return value.map((item) => toJson(item, depth + 1));
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (value instanceof CelMap || isJsonObject(value)) return recordOf(mapEntries(value), depth);
  if (value instanceof CelStruct) return recordOf(value.fields, depth);
  return boxedToJson(value, depth);
}

function boxedToJson(value: CelValue, depth: number): Json {
  if (value instanceof CelDouble) return value.value;
  if (value instanceof CelUint) {
    return value.value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value.value) : value.value.toString();
  }
  if (value instanceof CelDuration || value instanceof CelTimestamp) return toText(value);
  if (value instanceof CelOptional) {
    if (value.value === undefined) throw new CelError("optional.none() dereference");
    return toJson(value.value, depth + 1);
  }
  throw new CelError(`type conversion error from '${typeOf(value).name}' to JSON`);
}

function finite(value: number): number {
  if (!Number.isFinite(value)) throw new CelError(`${value} has no JSON form`);
  return value;
}

function recordOf(entries: Iterable<readonly [CelValue, CelValue]>, depth: number): JsonRecord {
  const record: Record<string, Json> = {};
  for (const [key, item] of entries) {
    if (typeof key !== "string") throw new CelError(`map key is of type ${typeOf(key).name}, not string`);
    setOwnKey(record, key, toJson(item, depth + 1));
  }
  return record;
}

/**
 * The operations that a JSONPatch expression returned. Throws CelError, with the server's text, for a list of
 * anything else and for values that are no JSON.
 */
export function jsonPatchOperations(result: CelValue): JsonPatchOperation[] {
  if (!isList(result)) {
    throw new CelError("type mismatch: JSONPatchType.expression should evaluate to array");
  }
  return result.map(toOperation);
}

function toOperation(element: CelValue): JsonPatchOperation {
  if (!(element instanceof JsonPatchStruct)) {
    throw new CelError(
      `type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch, got element of ${typeOf(element).name}`,
    );
  }
  const text = (name: string): string => {
    const value = element.field(name);
    return typeof value === "string" ? value : "";
  };
  const value = element.field("value");
  const from = text("from");
  return {
    op: text("op"),
    path: text("path"),
    ...(from === "" ? {} : { from }),
    ...(value === undefined ? {} : { value: operationValue(value) }),
  };
}

function operationValue(value: CelValue): Json {
  if (value instanceof CelStruct) checkTypeNames(value);
  try {
    return celToJson(value);
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    throw new CelError(
      `JSONPath valueExpression evaluated to a type that could not marshal to JSON: ${error.message}`,
    );
  }
}

/** The object that an ApplyConfiguration expression returned. Throws CelError with the server's text. */
export function applyConfigurationOf(result: CelValue): JsonRecord {
  if (!(result instanceof CelStruct) || result.typeName !== OBJECT_TYPE) {
    throw new CelError(`unsupported return type from ApplyConfiguration expression: ${typeOf(result).name}`);
  }
  checkTypeNames(result);
  return recordOf(result.fields, 0);
}

/**
 * `Object.spec.template{…}` must stand in the field `template` of `spec`: the only type check there is for objects
 * written in expressions. Lists and maps in between do not count.
 */
function checkTypeNames(root: CelStruct): void {
  const errors: string[] = [];
  collectTypeErrors(root, root.typeName, 0, errors);
  if (errors.length > 0) throw new CelError(`type mismatch: ${errors.join("\n")}`);
}

function collectTypeErrors(value: CelValue, expected: string, depth: number, errors: string[]): void {
  if (depth > maxJsonDepth) throw new CelError(`value is nested deeper than ${maxJsonDepth} levels`);
  if (value instanceof CelStruct && !(value instanceof JsonPatchStruct)) {
    if (value.typeName !== expected) {
      errors.push(
        `unexpected type name ${quote(value.typeName)}, expected ${quote(expected)}, which matches field name path from root Object type`,
      );
    }
    for (const [name, field] of value.fields) {
      collectTypeErrors(field, `${expected}.${name}`, depth + 1, errors);
    }
  } else if (isList(value)) {
    for (const item of value) collectTypeErrors(item, expected, depth + 1, errors);
  } else if (value instanceof CelMap) {
    for (const [, item] of value.entries()) collectTypeErrors(item, expected, depth + 1, errors);
  }
}

/**
 * Reads untrusted JSON field by field. Only own properties are looked at, `null` counts as absent (as it does
 * when the API server decodes JSON), and a value of the wrong type is written down instead of thrown, so that
 * one pass reports every misshapen field.
 */
export class ShapeReader {
  readonly problems: string[] = [];
  static readonly maxProblems = 8;

  field(parent: JsonObject, key: string): unknown {
    return Object.hasOwn(parent, key) ? (parent[key] ?? undefined) : undefined;
  }

  object(parent: JsonObject, key: string, path: string): JsonObject | undefined {
    const value = this.field(parent, key);
    if (value === undefined || isJsonObject(value)) return value;
    return this.wrong(`${path}.${key}`, "an object", value);
  }

  /** An absent list reads as empty. */
  list(parent: JsonObject, key: string, path: string): readonly unknown[] {
    const value = this.field(parent, key);
    if (value === undefined) return nothing;
    if (Array.isArray(value)) return value;
    this.wrong(`${path}.${key}`, "a list", value);
    return nothing;
  }

  /** A list of objects; a `null` element reads as an object without fields. */
  objects(parent: JsonObject, key: string, path: string): readonly JsonObject[] {
    const items = this.list(parent, key, path);
    if (items.every(isJsonObject)) return items;
    return items.map((item, index) => {
      if (item === null || item === undefined) return empty;
      if (isJsonObject(item)) return item;
      this.wrong(`${path}.${key}[${index}]`, "an object", item);
      return empty;
    });
  }

  strings(parent: JsonObject, key: string, path: string): readonly string[] {
    const items = this.list(parent, key, path);
    if (items.every(isString)) return items;
    return items.map((item, index) => {
      if (item === null || item === undefined) return "";
      if (isString(item)) return item;
      this.wrong(`${path}.${key}[${index}]`, "a string", item);
      return "";
    });
  }

  string(parent: JsonObject, key: string, path: string): string | undefined {
    const value = this.field(parent, key);
    if (value === undefined || isString(value)) return value;
    return this.wrong(`${path}.${key}`, "a string", value);
  }

  boolean(parent: JsonObject, key: string, path: string): boolean | undefined {
    const value = this.field(parent, key);
    if (value === undefined || typeof value === "boolean") return value;
    return this.wrong(`${path}.${key}`, "a boolean", value);
  }

  integer(parent: JsonObject, key: string, path: string): number | undefined {
    const value = this.field(parent, key);
    if (value === undefined || (typeof value === "number" && Number.isInteger(value))) return value;
    if (typeof value === "bigint") return Number(value);
    return this.wrong(`${path}.${key}`, "an integer", value);
  }

  wrong(path: string, expected: string, value: unknown): undefined {
    if (this.problems.length < ShapeReader.maxProblems) {
      this.problems.push(`${path} must be ${expected}, not ${typeName(value)}`);
    }
    return undefined;
  }
}

export type JsonObject = { readonly [key: string]: unknown };

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const empty: JsonObject = Object.freeze({});
const nothing: readonly never[] = Object.freeze([]);

function isString(value: unknown): value is string {
  return typeof value === "string";
}

function typeName(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  return `a ${typeof value}`;
}

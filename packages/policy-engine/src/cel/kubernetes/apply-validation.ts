import { quote } from "./go-strings.ts";
import { isJsonList, isJsonRecord, type Json, type JsonRecord, maxJsonDepth } from "./json.ts";
import { itemIdentity } from "./list-items.ts";
import type { Atom, ListAtom, MapAtom, ScalarKind } from "./structural-schema.ts";

/** What is wrong with a value by its schema, as structured-merge-diff's typed/validate.go tells. */
export interface SchemaError {
  /** `.spec.containers[name="a"]`; "" for the value itself. */
  readonly path: string;
  readonly message: string;
}

/** The errors as one text. */
export function formatSchemaErrors(errors: readonly SchemaError[]): string {
  const lines = errors.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
  return lines.length === 1 ? (lines[0] ?? "") : ["errors:", ...lines.map((line) => `  ${line}`)].join("\n");
}

/** The forms of a type that a value of this form can have; all of them when it fits none (or is null). */
export function deduceAtom(atom: Atom, value: Json | undefined): Atom {
  if (value === undefined || value === null) return atom;
  if (isJsonList(value)) return atom.list === undefined ? atom : { list: atom.list };
  if (isJsonRecord(value)) return atom.map === undefined ? atom : { map: atom.map };
  return atom.scalar === undefined ? atom : { scalar: atom.scalar };
}

/** Checks a value; `allowDuplicates` for objects that exist, which may have been made before lists had keys. */
export function schemaErrors(atom: Atom, value: Json, allowDuplicates: boolean): SchemaError[] {
  const errors: SchemaError[] = [];
  new Validation(errors, allowDuplicates).check(atom, value, "", 0);
  return errors;
}

class Validation {
  readonly #errors: SchemaError[];
  readonly #allowDuplicates: boolean;

  constructor(errors: SchemaError[], allowDuplicates: boolean) {
    this.#errors = errors;
    this.#allowDuplicates = allowDuplicates;
  }

  check(atom: Atom, value: Json, path: string, depth: number): void {
    if (depth > maxJsonDepth) {
      this.#errors.push({ path, message: `nested deeper than ${maxJsonDepth} levels` });
      return;
    }
    const { map, scalar, list } = deduceAtom(atom, value);
    if (map !== undefined) this.#checkMap(map, value, path, depth);
    else if (scalar !== undefined) this.#checkScalar(scalar, value, path);
    else if (list !== undefined) this.#checkList(list, value, path, depth);
    else this.#errors.push({ path, message: "schema error: invalid atom: inlined" });
  }

  #checkScalar(kind: ScalarKind, value: Json, path: string): void {
    const message = scalarFlaw(kind, value);
    if (message !== undefined) this.#errors.push({ path, message });
  }

  #checkMap(map: MapAtom, value: Json, path: string, depth: number): void {
    if (value === null) return;
    if (!isJsonRecord(value)) {
      this.#errors.push({ path, message: `expected map, got ${goPointer(value)}` });
      return;
    }
    for (const [key, item] of Object.entries(value)) {
      const element = map.field(key)?.atom ?? map.element;
      if (element === undefined) {
        this.#errors.push({ path: `${path}.${key}`, message: "field not declared in schema" });
        return;
      }
      this.check(element(), item, `${path}.${key}`, depth + 1);
    }
  }

  #checkList(list: ListAtom, value: Json, path: string, depth: number): void {
    if (value === null) return;
    if (!isJsonList(value)) {
      this.#errors.push({ path, message: `expected list, got ${goPointer(value)}` });
      return;
    }
    const seen = new Set<string>();
    for (const [index, item] of value.entries()) {
      const identity = list.atomic ? { step: `[${index}]` } : itemIdentity(list, item);
      if ("flaw" in identity) {
        this.#errors.push({ path, message: `element ${index}: ${identity.flaw}` });
        return;
      }
      if (!list.atomic && seen.has(identity.step) && !this.#allowDuplicates) {
        this.#errors.push({ path, message: `duplicate entries for key ${identity.step}` });
      }
      seen.add(identity.step);
      this.check(list.element(), item, path + identity.step, depth + 1);
    }
  }
}

/** Why a value is no scalar of this kind; null is one of every kind. */
export function scalarFlaw(kind: ScalarKind, value: Json | undefined): string | undefined {
  if (value === undefined || value === null) return undefined;
  switch (kind) {
    case "numeric":
      return typeof value === "number" || typeof value === "bigint"
        ? undefined
        : `expected numeric (int or float), got ${goType(value)}`;
    case "string":
      return typeof value === "string" ? undefined : `expected string, got ${goPointer(value, true)}`;
    case "boolean":
      return typeof value === "boolean" ? undefined : `expected boolean, got ${goPointer(value)}`;
    case "untyped":
      return typeof value === "object" ? `expected any scalar, got ${goPointer(value)}` : undefined;
  }
}

/** The type of a decoded JSON value in Go, which `%T` prints. */
function goType(value: Json): string {
  if (isJsonList(value)) return "[]interface {}";
  if (isJsonRecord(value)) return "map[string]interface {}";
  if (typeof value === "bigint") return "int64";
  if (typeof value === "number") return Number.isSafeInteger(value) ? "int64" : "float64";
  return typeof value === "boolean" ? "bool" : "string";
}

/** How Go prints the pointer that the server has for a value, with `%v` or, in full, with `%#v`. */
function goPointer(value: Json, full = false): string {
  if (!full) return `&{${goText(value, 0)}}`;
  const text = typeof value === "string" ? quote(value) : goText(value, 0);
  return `&value.valueUnstructured{Value:${text}}`;
}

/** `%v` of a value. Values in messages are cut short: nobody reads on. */
function goText(value: Json, depth: number): string {
  if (value === null) return "<nil>";
  if (depth > 4) return "…";
  if (isJsonList(value)) {
    return `[${value
      .slice(0, 10)
      .map((item) => goText(item, depth + 1))
      .join(" ")}]`;
  }
  return isJsonRecord(value) ? goMapText(value, depth) : String(value);
}

function goMapText(value: JsonRecord, depth: number): string {
  const entries = Object.entries(value).slice(0, 10);
  return `map[${entries.map(([key, item]) => `${key}:${goText(item, depth + 1)}`).join(" ")}]`;
}

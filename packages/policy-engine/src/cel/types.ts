import { CelBoxed } from "./boxed.ts";

export type TypeKind =
  | "any"
  | "bool"
  | "bytes"
  | "double"
  | "duration"
  | "dyn"
  | "error"
  | "int"
  | "list"
  | "map"
  | "null"
  | "opaque"
  | "param"
  | "string"
  | "struct"
  | "timestamp"
  | "type"
  | "uint"
  | "wrapper";

/**
 * Largest type, in parts counted as they are written out, and how deep they may nest. `{v: v}` doubles a type, and types
 * are walked again and again: what is larger is dyn. No schema and no literal that means something comes near it.
 */
const MAX_PARTS = 1_000;
const MAX_DEPTH = 64;

/**
 * A CEL type: what declarations and the checker speak of, and at the same time the value that `type(x)` gives.
 * `name` is the run-time name (`google.protobuf.Timestamp`, `null_type`, `list`); `params` are the element types
 * of lists, maps, optionals and opaque types, or the inner type of `wrapper` (nullable) and `type`.
 */
export class CelType extends CelBoxed {
  readonly kind: TypeKind;
  readonly name: string;
  readonly params: readonly CelType[];
  /** The number of types it is made of, itself among them. */
  readonly parts: number;
  readonly depth: number;

  /** A type that would be too large comes out as dyn. */
  constructor(kind: TypeKind, name: string, params: readonly CelType[] = []) {
    super();
    let parts = 1;
    let depth = 1;
    for (const param of params) {
      parts += param.parts;
      depth = Math.max(depth, param.depth + 1);
    }
    const isTooLarge = parts > MAX_PARTS || depth > MAX_DEPTH;
    this.kind = isTooLarge ? "dyn" : kind;
    this.name = isTooLarge ? "dyn" : name;
    this.params = isTooLarge ? [] : params;
    this.parts = isTooLarge ? 1 : parts;
    this.depth = isTooLarge ? 1 : depth;
  }

  override toString(): string {
    if (this.params.length === 0) return this.name;
    return `${this.name}(${this.params.join(", ")})`;
  }
}

export const ANY = new CelType("any", "google.protobuf.Any");
export const BOOL = new CelType("bool", "bool");
export const BYTES = new CelType("bytes", "bytes");
export const DOUBLE = new CelType("double", "double");
export const DURATION = new CelType("duration", "google.protobuf.Duration");
export const DYN = new CelType("dyn", "dyn");
/** The type of an expression in which the checker already found a mistake: fits everywhere, so one mistake is told once. */
export const ERROR = new CelType("error", "!error!");
export const INT = new CelType("int", "int");
export const NULL = new CelType("null", "null_type");
export const STRING = new CelType("string", "string");
export const TIMESTAMP = new CelType("timestamp", "google.protobuf.Timestamp");
export const TYPE = new CelType("type", "type");
export const UINT = new CelType("uint", "uint");

export const listType = (element: CelType): CelType => new CelType("list", "list", [element]);
export const mapType = (key: CelType, value: CelType): CelType => new CelType("map", "map", [key, value]);
export const opaqueType = (name: string, ...params: CelType[]): CelType =>
  new CelType("opaque", name, params);
/** An object type whose fields a type provider declares. */
export const structType = (name: string): CelType => new CelType("struct", name);
/** A type parameter of an overload: every mention of one name in an overload stands for one type. */
export const typeParam = (name: string): CelType => new CelType("param", name);
export const optionalType = (inner: CelType): CelType => opaqueType("optional_type", inner);
/** A value of `inner` or null, as the protobuf wrapper types are. */
export const nullableType = (inner: CelType): CelType => new CelType("wrapper", "wrapper", [inner]);
export const typeType = (inner: CelType): CelType => new CelType("type", "type", [inner]);

export const LIST = listType(DYN);
export const MAP = mapType(DYN, DYN);

export function isOptionalType(type: CelType): boolean {
  return type.kind === "opaque" && type.name === "optional_type";
}

/** Same type to the last parameter (dyn equals only dyn). */
export function sameType(a: CelType, b: CelType): boolean {
  if (a === b) return true;
  if (a.kind !== b.kind || a.name !== b.name || a.params.length !== b.params.length) return false;
  return a.params.every((param, at) => sameType(param, b.params[at] ?? ERROR));
}

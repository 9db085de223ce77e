/** Types of objects by an API server's OpenAPI v3 document of one group and version (`/openapi/v3/apis/<group>/<version>`). */
import { isJsonList, isJsonRecord, type Json, type JsonRecord, ownValue } from "../cel/kubernetes/json.ts";
import { type Atom, deduced, schemaAtom } from "../cel/kubernetes/structural-schema.ts";
import type { AdmissionRequestLike } from "../policy-set/request.ts";

export type ObjectType = Atom;
/** For files, where there is no schema: what sets a list cannot be told then, all else can. */
export const typeWithoutSchema: ObjectType = deduced;
type Kind = AdmissionRequestLike["kind"];

/** Finds the type of a kind in a document; undefined when it does not define the kind. */
export type ObjectTypes = (kind: Kind) => ObjectType | undefined;

/**
 * Reads a parsed document. Types are made when asked for, and kept.
 *
 * @returns undefined for what is no OpenAPI v3 document
 */
export function objectTypes(document: unknown): ObjectTypes | undefined {
  const schemas = schemasOf(document as Json);
  if (schemas === undefined) return undefined;
  const byKind = new Map<string, JsonRecord>();
  for (const schema of Object.values(schemas)) {
    if (!isJsonRecord(schema)) continue;
    for (const kind of kindsOf(schema)) byKind.set(keyOf(kind), schema);
  }
  const known = new Map<string, ObjectType>();
  const resolve = (ref: string): JsonRecord | undefined => {
    const schema = ownValue(schemas, ref.slice(ref.lastIndexOf("/") + 1));
    return isJsonRecord(schema) ? schema : undefined;
  };
  return (kind) => {
    const key = keyOf(kind);
    const schema = byKind.get(key);
    if (schema === undefined) return undefined;
    const type = known.get(key) ?? schemaAtom(schema, resolve);
    known.set(key, type);
    return type;
  };
}

function schemasOf(document: Json): JsonRecord | undefined {
  const components = isJsonRecord(document) ? ownValue(document, "components") : undefined;
  const schemas = isJsonRecord(components) ? ownValue(components, "schemas") : undefined;
  return isJsonRecord(schemas) ? schemas : undefined;
}

/** Some schemas, DeleteOptions for one, are of many kinds. */
function kindsOf(schema: JsonRecord): Kind[] {
  const kinds = ownValue(schema, "x-kubernetes-group-version-kind");
  if (!isJsonList(kinds)) return [];
  return kinds.filter(isJsonRecord).map((kind) => {
    const text = (key: string): string => {
      const value = ownValue(kind, key);
      return typeof value === "string" ? value : "";
    };
    return { group: text("group"), version: text("version"), kind: text("kind") };
  });
}

function keyOf({ group, version, kind }: Kind): string {
  return JSON.stringify([group, version, kind]);
}

/** Leaves out of a document, while it is parsed, what nobody asks of a type: most of its size. */
export function withoutProse(key: string, value: unknown): unknown {
  return key === "description" && typeof value === "string" ? undefined : value;
}

/** Where the API server has the document that defines a kind, relative to `/openapi/v3`. */
export function documentPath({ group, version }: Pick<Kind, "group" | "version">): string {
  return group === "" ? `api/${version}` : `apis/${group}/${version}`;
}

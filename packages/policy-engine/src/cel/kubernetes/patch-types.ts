import { CelError } from "../errors.ts";
import type { Library, ObjectTypeDeclaration } from "../library.ts";
import { type CelType, DYN, STRING } from "../types.ts";
import { CelStruct, type CelValue, typeOf } from "../values.ts";
import { functions, shape } from "./declare.ts";
import { asText } from "./kubernetes-types.ts";

/**
 * What mutation expressions write: `JSONPatch{op: …, path: …}` and `Object{spec: Object.spec{…}}` (apiserver's
 * pkg/cel/mutation). No schema is behind `Object`: every name after it is a type, with every field.
 */
export const JSON_PATCH_TYPE = "JSONPatch";
export const OBJECT_TYPE = "Object";

const textFields = ["op", "path", "from"] as const;

/** A JSON patch operation. Text that was not given reads as "" and counts as not set. */
export class JsonPatchStruct extends CelStruct {
  /** Throws CelError for fields it does not have and for text that is none. */
  static of(given: ReadonlyMap<string, CelValue>): JsonPatchStruct {
    const fields = new Map<string, CelValue>(textFields.map((name) => [name, ""]));
    for (const [name, value] of given) {
      if (name !== "value" && !fields.has(name))
        throw new CelError(`unexpected JSONPatchType field: ${name}`);
      if (name !== "value" && typeof value !== "string") {
        throw new CelError(`unexpected type ${typeOf(value).name} for JSONPatchType '${name}' field`);
      }
      fields.set(name, value);
    }
    return new JsonPatchStruct(JSON_PATCH_TYPE, fields);
  }

  override hasField(name: string): boolean {
    const value = this.field(name);
    return name === "value" ? value !== undefined : value !== undefined && value !== "";
  }
}

/** Has any field, of any type. */
class AnyFields extends Map<string, CelType> {
  override get(): CelType {
    return DYN;
  }

  override has(): boolean {
    return true;
  }
}

const anyFields = new AnyFields();

const jsonPatchType: ObjectTypeDeclaration = {
  name: JSON_PATCH_TYPE,
  fields: new Map<string, CelType>([
    ["op", STRING],
    ["path", STRING],
    ["from", STRING],
    ["value", DYN],
  ]),
  construct: (fields) => JsonPatchStruct.of(fields),
};

function findType(name: string): ObjectTypeDeclaration | undefined {
  if (name === JSON_PATCH_TYPE) return jsonPatchType;
  if (name === OBJECT_TYPE || name.startsWith(`${OBJECT_TYPE}.`)) return { name, fields: anyFields };
  return undefined;
}

/** Escapes a key for use in the path of a patch (RFC 6901 §3). */
function escapeKey(key: string): string {
  return key.replace(/[~/]/g, (character) => (character === "~" ? "~0" : "~1"));
}

/** Only for expressions that make patches: others cannot name these types on the server either. */
export const patchLibrary: Library = {
  name: "kubernetes.jsonpatch",
  functions: [
    functions(
      "jsonpatch.escapeKey",
      shape("string_jsonpatch_escapeKey_string", [STRING], STRING, (key = null) => escapeKey(asText(key))),
    ),
  ],
  types: { findType },
};

/**
 * CEL types of an OpenAPI v3 schema, as the API server makes them to warn about expressions in a policy's
 * status.typeChecking (apiserver pkg/cel/common/schemas.go, pkg/cel/openapi). Admission itself evaluates `object`,
 * `oldObject` and `params` untyped: what is found here never decides a request.
 */
import type { ObjectTypeDeclaration, TypeProvider } from "../library.ts";
import {
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  listType,
  mapType,
  STRING,
  structType,
  TIMESTAMP,
} from "../types.ts";
import { escapeFieldName } from "./field-names.ts";

/** The part of a schema that has a meaning here; anything else in it is passed over. */
export interface OpenApiSchema {
  readonly type?: string | undefined;
  readonly format?: string | undefined;
  readonly $ref?: string | undefined;
  readonly allOf?: readonly OpenApiSchema[] | undefined;
  readonly properties?: Readonly<Record<string, OpenApiSchema>> | undefined;
  readonly additionalProperties?: OpenApiSchema | boolean | undefined;
  readonly items?: OpenApiSchema | undefined;
  readonly "x-kubernetes-int-or-string"?: boolean | undefined;
  readonly "x-kubernetes-embedded-resource"?: boolean | undefined;
}

/** Gives the schema a `$ref` names, or undefined. */
export type SchemaResolver = (ref: string) => OpenApiSchema | undefined;

export interface SchemaTypes {
  readonly type: CelType;
  readonly provider: TypeProvider;
}

/** Lists and maps in one another beyond this are taken for untyped: a schema may come from anybody's CRD. */
const MAX_NESTING = 64;

const stringFormats: ReadonlyMap<string, CelType> = new Map([
  ["byte", BYTES],
  ["duration", DURATION],
  ["date", TIMESTAMP],
  ["date-time", TIMESTAMP],
]);

/**
 * The type of the object this schema describes, named `typeName`, its parts `typeName.field`; undefined when the
 * schema says too little. Fields without a type, such as those of preserved unknown fields, are not there.
 */
export function celTypesFromSchema(
  typeName: string,
  schema: OpenApiSchema,
  resolve: SchemaResolver,
): SchemaTypes | undefined {
  const types = new SchemaTypeProvider(resolve);
  const type = types.typeOf({ schema, name: typeName, isRoot: true, refs: [], depth: 0 });
  return type === undefined ? undefined : { type, provider: types };
}

/** A place in the schema, and the name its type has if it is an object. */
interface Place {
  readonly schema: OpenApiSchema;
  readonly name: string;
  /** The root of a resource: has kind, apiVersion and metadata whatever its schema says. */
  readonly isRoot: boolean;
  /** References followed to come here; one met again ends as an object without fields. */
  readonly refs: readonly string[];
  readonly depth: number;
}

class SchemaTypeProvider implements TypeProvider {
  readonly #resolve: SchemaResolver;
  readonly #places = new Map<string, Place>();
  readonly #declared = new Map<string, ObjectTypeDeclaration>();

  constructor(resolve: SchemaResolver) {
    this.#resolve = resolve;
  }

  findType(name: string): ObjectTypeDeclaration | undefined {
    const known = this.#declared.get(name);
    if (known !== undefined) return known;
    const place = this.#places.get(name);
    if (place === undefined) return undefined;
    const declaration = { name, fields: this.#fields(place) };
    this.#declared.set(name, declaration);
    return declaration;
  }

  typeOf(unresolved: Place): CelType | undefined {
    const place = this.#follow(unresolved);
    const { schema } = place;
    if (schema.format === "int-or-string" || schema["x-kubernetes-int-or-string"] === true) return DYN;
    if (place.depth > MAX_NESTING) return DYN;
    switch (schema.type) {
      case "object":
        return this.#objectType(place);
      case "array": {
        const element = schema.items && this.typeOf(child(place, schema.items, "@idx"));
        return element && listType(element);
      }
      case "string":
        return stringFormats.get(schema.format ?? "") ?? STRING;
      case "boolean":
        return BOOL;
      case "number":
        return DOUBLE;
      case "integer":
        return INT;
      default:
        return place.isRoot ? this.#objectType(place) : undefined;
    }
  }

  #objectType(place: Place): CelType | undefined {
    const { additionalProperties } = place.schema;
    if (typeof additionalProperties === "object") {
      const value = this.typeOf(child(place, additionalProperties, "@elem"));
      return value && mapType(STRING, value);
    }
    this.#places.set(place.name, place);
    return structType(place.name);
  }

  #fields(place: Place): Map<string, CelType> {
    const properties = place.schema.properties ?? {};
    const fields = new Map<string, CelType>();
    for (const key of Object.keys(properties)) {
      const schema = properties[key];
      const name = escapeFieldName(key);
      const type = schema && name !== undefined ? this.typeOf(child(place, schema, name)) : undefined;
      if (type === undefined || name === undefined) continue;
      fields.set(name, type);
      // A reserved word may be selected as it is, too (recognizeKeywordAsFieldName in pkg/cel/types.go).
      if (name === `__${key}__`) fields.set(key, type);
    }
    if (place.isRoot) this.#addObjectMeta(place, fields);
    return fields;
  }

  /** A root without full metadata in its schema still has `kind`, `apiVersion` and the two names. */
  #addObjectMeta(place: Place, fields: Map<string, CelType>): void {
    const metadataName = `${place.name}.metadata`;
    const metadata = this.#places.has(metadataName) ? this.findType(metadataName) : undefined;
    const isComplete =
      fields.get("kind") === STRING &&
      fields.get("apiVersion") === STRING &&
      metadata?.fields.get("name") === STRING &&
      metadata.fields.get("generateName") === STRING;
    if (isComplete) return;
    const names = new Map([
      ["name", STRING],
      ["generateName", STRING],
    ]);
    this.#declared.set(metadataName, { name: metadataName, fields: names });
    fields.set("kind", STRING).set("apiVersion", STRING).set("metadata", structType(metadataName));
  }

  /** The schema behind references; one may be wrapped in allOf to keep a description beside it. */
  #follow(place: Place): Place {
    const refs = [...place.refs];
    let { schema } = place;
    for (let ref = refOf(schema); ref !== undefined; ref = refOf(schema)) {
      if (refs.includes(ref)) return { ...place, refs, schema: { type: "object" } };
      refs.push(ref);
      schema = this.#resolve(ref) ?? {};
    }
    return { ...place, refs, schema };
  }
}

function refOf(schema: OpenApiSchema): string | undefined {
  if (schema.$ref !== undefined) return schema.$ref;
  return schema.allOf?.find(({ $ref }) => $ref !== undefined)?.$ref;
}

function child(parent: Place, schema: OpenApiSchema, name: string): Place {
  return {
    schema,
    name: `${parent.name}.${name}`,
    isRoot: schema["x-kubernetes-embedded-resource"] === true,
    refs: parent.refs,
    depth: parent.depth + 1,
  };
}

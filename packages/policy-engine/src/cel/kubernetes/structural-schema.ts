import { isJsonList, isJsonRecord, type Json, type JsonRecord, ownValue } from "./json.ts";

/**
 * What merging needs to know of an OpenAPI schema: which lists are keyed, sets or atomic, which maps are atomic,
 * which fields exist (kube-openapi pkg/schemaconv, whose result structured-merge-diff works with).
 */
export interface Atom {
  /** A type may allow a scalar, a list and a map at once (int-or-string, or anything). */
  readonly scalar?: ScalarKind;
  readonly list?: ListAtom;
  readonly map?: MapAtom;
}

export type ScalarKind = "numeric" | "string" | "boolean" | "untyped";

export interface ListAtom {
  /** Merged as a whole. */
  readonly atomic: boolean;
  /** The fields that tell elements apart; without any, a list that is not atomic is a set of scalars. */
  readonly keys: readonly string[];
  readonly element: () => Atom;
}

export interface MapAtom {
  readonly atomic: boolean;
  /** The declared field of this name. */
  readonly field: (name: string) => FieldAtom | undefined;
  /** What other keys hold; undefined when there may be none. */
  readonly element: (() => Atom) | undefined;
}

export interface FieldAtom {
  readonly atom: () => Atom;
  readonly default: Json | undefined;
}

/** Finds the schema that a `$ref` names; undefined when there is none. */
export type SchemaResolver = (ref: string) => JsonRecord | undefined;

/** A type nobody declared: lists are replaced, maps merged. Both are what the server takes unknown objects for. */
const untyped: Atom = {
  scalar: "untyped",
  list: { atomic: true, keys: [], element: () => untyped },
  map: { atomic: true, field: () => undefined, element: () => untyped },
};
export const deduced: Atom = {
  scalar: "untyped",
  list: { atomic: true, keys: [], element: () => untyped },
  map: { atomic: false, field: () => undefined, element: () => deduced },
};

/** Types whose schema says less than the server knows. */
const wellKnown: ReadonlyMap<string, Atom> = new Map<string, Atom>([
  ["io.k8s.apimachinery.pkg.api.resource.Quantity", { scalar: "untyped" }],
  ["io.k8s.apimachinery.pkg.runtime.RawExtension", untyped],
]);

/** An OpenAPI v3 schema as atoms, made when asked for: schemas may contain themselves. */
export function schemaAtom(schema: JsonRecord, resolve: SchemaResolver): Atom {
  return new SchemaReader(resolve).atomOf(schema, false);
}

class SchemaReader {
  readonly #resolve: SchemaResolver;
  /** By schema and by whether unknown fields are kept: the same schema may be met again and again. */
  readonly #known = { true: new WeakMap<JsonRecord, Atom>(), false: new WeakMap<JsonRecord, Atom>() };

  constructor(resolve: SchemaResolver) {
    this.#resolve = resolve;
  }

  /** `preserve`: an enclosing schema keeps unknown fields, and so do all inline schemas in it. */
  atomOf(schema: JsonRecord, preserve: boolean): Atom {
    const keepsUnknown = preserve || ownValue(schema, "x-kubernetes-preserve-unknown-fields") === true;
    const known = this.#known[`${keepsUnknown}`];
    const atom = known.get(schema) ?? this.#read(schema, keepsUnknown);
    known.set(schema, atom);
    return atom;
  }

  #read(schema: JsonRecord, preserve: boolean): Atom {
    switch (ownValue(schema, "type")) {
      case "object":
        return { map: this.#mapOf(schema, preserve) };
      case "array":
        return { list: this.#listOf(schema, preserve) };
      case "integer":
      case "number":
        return { scalar: "numeric" };
      case "boolean":
        return { scalar: "boolean" };
      case "string": {
        const format = ownValue(schema, "format");
        const plain = format === undefined || format === "" || format === "byte";
        return { scalar: plain ? "string" : "untyped" };
      }
      case undefined:
        return {
          scalar: "untyped",
          list: this.#listOf(schema, preserve),
          map: this.#mapOf(schema, preserve),
        };
      default:
        return { scalar: "untyped" };
    }
  }

  /** A schema in place of a field, element or value: perhaps only a reference. */
  #referenced(schema: Json | undefined, preserve: boolean): () => Atom {
    if (!isJsonRecord(schema)) return () => deduced;
    const ref = referenceOf(schema);
    if (ref === undefined) return () => this.atomOf(schema, preserve);
    const name = ref.slice(ref.lastIndexOf("/") + 1);
    return () => withMapType(this.#named(ref, name), ownValue(schema, "x-kubernetes-map-type"));
  }

  #named(ref: string, name: string): Atom {
    const known = wellKnown.get(name);
    if (known !== undefined) return known;
    const schema = this.#resolve(ref);
    return schema === undefined ? deduced : this.atomOf(schema, false);
  }

  #mapOf(schema: JsonRecord, preserve: boolean): MapAtom {
    const properties = ownValue(schema, "properties");
    const fields = isJsonRecord(properties) ? properties : {};
    return {
      atomic: ownValue(schema, "x-kubernetes-map-type") === "atomic",
      element: this.#valuesOf(schema, fields, preserve),
      field: (name) => {
        const field = ownValue(fields, name);
        if (!isJsonRecord(field)) return undefined;
        return { atom: this.#referenced(field, preserve), default: ownValue(field, "default") };
      },
    };
  }

  #valuesOf(schema: JsonRecord, fields: JsonRecord, preserve: boolean): (() => Atom) | undefined {
    const additional = ownValue(schema, "additionalProperties");
    if (isJsonRecord(additional)) return this.#referenced(additional, preserve);
    if (additional !== undefined) return additional === true ? () => deduced : undefined;
    return preserve || Object.keys(fields).length === 0 ? () => deduced : undefined;
  }

  #listOf(schema: JsonRecord, preserve: boolean): ListAtom {
    const items = ownValue(schema, "items");
    const element = items === undefined ? () => untyped : this.#referenced(items, preserve);
    return { ...listRelationship(schema), element };
  }
}

function referenceOf(schema: JsonRecord): string | undefined {
  const direct = ownValue(schema, "$ref");
  if (typeof direct === "string") return direct;
  // A reference with siblings (a default, a description) is wrapped in an allOf of one.
  const allOf = ownValue(schema, "allOf");
  const only = isJsonList(allOf) && allOf.length === 1 ? allOf[0] : undefined;
  const wrapped = isJsonRecord(only) ? ownValue(only, "$ref") : undefined;
  return typeof wrapped === "string" ? wrapped : undefined;
}

/** The place that refers to a type may make it atomic (or not) there. */
function withMapType(atom: Atom, mapType: Json | undefined): Atom {
  if (mapType === undefined || atom.map === undefined) return atom;
  return { ...atom, map: { ...atom.map, atomic: mapType === "atomic" } };
}

function listRelationship(schema: JsonRecord): { atomic: boolean; keys: readonly string[] } {
  const keyNames = ownValue(schema, "x-kubernetes-list-map-keys");
  switch (ownValue(schema, "x-kubernetes-list-type")) {
    case "map":
      return {
        atomic: false,
        keys: isJsonList(keyNames) ? keyNames.filter((key) => typeof key === "string") : [],
      };
    case "set":
      return { atomic: false, keys: [] };
    case undefined:
      return patchStrategyRelationship(schema);
    default:
      return { atomic: true, keys: [] };
  }
}

/** The older spelling, for strategic merge patches. */
function patchStrategyRelationship(schema: JsonRecord): { atomic: boolean; keys: readonly string[] } {
  const strategy = ownValue(schema, "x-kubernetes-patch-strategy");
  if (strategy !== "merge" && strategy !== "merge,retainKeys") return { atomic: true, keys: [] };
  const key = ownValue(schema, "x-kubernetes-patch-merge-key");
  return { atomic: false, keys: typeof key === "string" ? [key] : [] };
}

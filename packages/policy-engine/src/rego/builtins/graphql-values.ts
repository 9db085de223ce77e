/**
 * The way back from `graphql-tree.ts`: a syntax tree given as a Rego value, as a policy may pass instead of text.
 *
 * OPA decodes it as JSON into gqlparser's structs, and so: names it does not know are passed over, null is as absent,
 * a wrong type is an error, and what stands in a selection set is always a field. (gqlparser tries fields first, and
 * any object makes one. A query with fragments, given as a value, is thus invalid in OPA, and here.) Comments are not
 * read: what `graphql.parse` gives back for a value has none.
 */
import {
  type ArgumentNode,
  type ConstDirectiveNode,
  type ConstValueNode,
  type DefinitionNode,
  type DirectiveNode,
  type DocumentNode,
  type EnumValueDefinitionNode,
  type FieldDefinitionNode,
  type FieldNode,
  type InputValueDefinitionNode,
  Kind,
  type NamedTypeNode,
  type NameNode,
  OperationTypeNode,
  type SelectionSetNode,
  type StringValueNode,
  type TypeNode,
  type ValueNode,
  type VariableDefinitionNode,
} from "graphql";
import {
  type AnyObject,
  getKey,
  isArray,
  isNumber,
  isObject,
  isSet,
  type RegoValue,
  typeName,
} from "../values.ts";
import { maxNameLength, maxNesting } from "./graphql-limits.ts";
import { type DirectiveDefinition, GraphqlLimitError, type ParsedDocument } from "./graphql-syntax.ts";
import { type TypeKind, valueKinds } from "./graphql-tree.ts";

/** A value that is no syntax tree. */
export class GraphqlTreeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "GraphqlTreeError";
  }
}

const mismatch = (key: string, value: RegoValue, wanted: string): GraphqlTreeError =>
  new GraphqlTreeError(`json: cannot unmarshal ${typeName(value)} into field ${key} of type ${wanted}`);

function member(object: AnyObject, key: string): RegoValue | undefined {
  const value = getKey(object, key);
  return value === null ? undefined : value;
}

function text(object: AnyObject, key: string): string {
  const value = member(object, key) ?? "";
  if (typeof value !== "string") throw mismatch(key, value, "string");
  return value;
}

function flag(object: AnyObject, key: string): boolean {
  const value = member(object, key) ?? false;
  if (typeof value !== "boolean") throw mismatch(key, value, "bool");
  return value;
}

function named(value: string): NameNode {
  if (value.length > maxNameLength)
    throw new GraphqlLimitError(`a GraphQL name may have at most ${maxNameLength} characters`);
  return { kind: Kind.NAME, value };
}

const namedType = (value: string): NamedTypeNode => ({ kind: Kind.NAMED_TYPE, name: named(value) });
const name = (object: AnyObject): NameNode => named(text(object, "Name"));
const stringNode = (value: string): StringValueNode => ({ kind: Kind.STRING, value });

/** A description that is absent and one that is empty are the same in gqlparser. */
function description(object: AnyObject): { readonly description?: StringValueNode } {
  const value = text(object, "Description");
  return value === "" ? {} : { description: stringNode(value) };
}

function operation(object: AnyObject): OperationTypeNode {
  switch (text(object, "Operation")) {
    case "":
    case "query":
      return OperationTypeNode.QUERY;
    case "mutation":
      return OperationTypeNode.MUTATION;
    case "subscription":
      return OperationTypeNode.SUBSCRIPTION;
    default:
      throw new GraphqlTreeError(`got unknown operation type ${JSON.stringify(text(object, "Operation"))}`);
  }
}

const definitionKinds = {
  SCALAR: [Kind.SCALAR_TYPE_DEFINITION, Kind.SCALAR_TYPE_EXTENSION],
  OBJECT: [Kind.OBJECT_TYPE_DEFINITION, Kind.OBJECT_TYPE_EXTENSION],
  INTERFACE: [Kind.INTERFACE_TYPE_DEFINITION, Kind.INTERFACE_TYPE_EXTENSION],
  UNION: [Kind.UNION_TYPE_DEFINITION, Kind.UNION_TYPE_EXTENSION],
  ENUM: [Kind.ENUM_TYPE_DEFINITION, Kind.ENUM_TYPE_EXTENSION],
  INPUT_OBJECT: [Kind.INPUT_OBJECT_TYPE_DEFINITION, Kind.INPUT_OBJECT_TYPE_EXTENSION],
} as const satisfies Record<TypeKind, readonly Kind[]>;

const isTypeKind = (value: string): value is TypeKind => Object.hasOwn(definitionKinds, value);

class TreeReader {
  #objects = 0;
  #depth = 0;
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  /** Objects read so far: about as many as the tokens of the text. */
  get objects(): number {
    return this.#objects;
  }

  #enter<T>(value: RegoValue, key: string, read: (object: AnyObject) => T): T {
    if (!isObject(value)) throw mismatch(key, value, "object");
    if (++this.#objects > this.#max)
      throw new GraphqlLimitError(`a GraphQL document may have at most ${this.#max} parts`);
    // Each level of nesting in a text is at most four objects within each other.
    if (this.#depth >= 4 * maxNesting)
      throw new GraphqlLimitError(`a GraphQL document may nest at most ${maxNesting} levels deep`);
    this.#depth++;
    const made = read(value);
    this.#depth--;
    return made;
  }

  #list(object: AnyObject, key: string): readonly RegoValue[] {
    const value = member(object, key) ?? [];
    const list = isSet(value) ? value.sorted() : value;
    if (!isArray(list)) throw mismatch(key, value, "list");
    return list.filter((item) => item !== null);
  }

  each<T>(object: AnyObject, key: string, read: (object: AnyObject) => T): T[] {
    return this.#list(object, key).map((item) => this.#enter(item, key, read));
  }

  #texts(object: AnyObject, key: string): string[] {
    return this.#list(object, key).map((item) => {
      if (typeof item !== "string") throw mismatch(key, item, "string");
      if (++this.#objects > this.#max)
        throw new GraphqlLimitError(`a GraphQL document may have at most ${this.#max} parts`);
      return item;
    });
  }

  #one<T>(object: AnyObject, key: string, read: (object: AnyObject) => T): T | undefined {
    const value = member(object, key);
    return value === undefined ? undefined : this.#enter(value, key, read);
  }

  #value = (object: AnyObject): ValueNode => {
    const raw = text(object, "Raw");
    const number = member(object, "Kind") ?? 0;
    if (!isNumber(number)) throw mismatch("Kind", number, "int");
    const kind = valueKinds[Number(number)];
    if (kind === undefined) throw new GraphqlTreeError(`unknown value kind ${number}`);
    switch (kind) {
      case Kind.VARIABLE:
        return { kind, name: named(raw) };
      case Kind.INT:
      case Kind.FLOAT:
        return { kind, value: raw };
      case Kind.ENUM:
        return { kind, value: named(raw).value };
      case Kind.STRING:
        return stringNode(raw);
      case "BlockString":
        return { ...stringNode(raw), block: true };
      case Kind.BOOLEAN:
        return { kind, value: raw === "true" };
      case Kind.NULL:
        return { kind };
      case Kind.LIST:
        return { kind, values: this.each(object, "Children", this.#childValue) };
      case Kind.OBJECT:
        return {
          kind,
          fields: this.each(object, "Children", (child) => ({
            kind: Kind.OBJECT_FIELD,
            name: name(child),
            value: this.#childValue(child),
          })),
        };
    }
  };

  #childValue = (object: AnyObject): ValueNode =>
    this.#one(object, "Value", this.#value) ?? { kind: Kind.NULL };

  /** In a default or a schema's directive, where variables have no meaning. */
  #constant(value: ValueNode | undefined): ConstValueNode | undefined {
    if (value?.kind === Kind.VARIABLE) throw new GraphqlTreeError("Unexpected $");
    if (value?.kind === Kind.LIST) for (const item of value.values) this.#constant(item);
    if (value?.kind === Kind.OBJECT) for (const field of value.fields) this.#constant(field.value);
    // Without a variable anywhere inside it is what the narrower type says.
    return value as ConstValueNode | undefined;
  }

  #argument = (object: AnyObject): ArgumentNode => ({
    kind: Kind.ARGUMENT,
    name: name(object),
    value: this.#childValue(object),
  });

  #directives(object: AnyObject): DirectiveNode[] {
    return this.each(object, "Directives", (directive) => ({
      kind: Kind.DIRECTIVE,
      name: name(directive),
      arguments: this.each(directive, "Arguments", this.#argument),
    }));
  }

  #constDirectives(object: AnyObject): ConstDirectiveNode[] {
    const directives = this.#directives(object);
    for (const directive of directives)
      for (const argument of directive.arguments ?? []) this.#constant(argument.value);
    return directives as ConstDirectiveNode[];
  }

  #namedOrList = (object: AnyObject): TypeNode => {
    const element = this.#one(object, "Elem", this.#namedOrList);
    const given = text(object, "NamedType");
    const type: TypeNode =
      given === "" && element ? { kind: Kind.LIST_TYPE, type: element } : namedType(given);
    return flag(object, "NonNull") ? { kind: Kind.NON_NULL_TYPE, type } : type;
  };

  #type(object: AnyObject): TypeNode {
    return this.#one(object, "Type", this.#namedOrList) ?? namedType("");
  }

  #field = (object: AnyObject): FieldNode => {
    const alias = text(object, "Alias");
    const selected = this.#selections(object);
    return {
      kind: Kind.FIELD,
      ...(alias === "" ? {} : { alias: named(alias) }),
      name: name(object),
      arguments: this.each(object, "Arguments", this.#argument),
      directives: this.#directives(object),
      ...(selected.selections.length === 0 ? {} : { selectionSet: selected }),
    };
  };

  #selections(object: AnyObject): SelectionSetNode {
    return { kind: Kind.SELECTION_SET, selections: this.each(object, "SelectionSet", this.#field) };
  }

  #variable = (object: AnyObject): VariableDefinitionNode => {
    const defaultValue = this.#constant(this.#one(object, "DefaultValue", this.#value));
    return {
      kind: Kind.VARIABLE_DEFINITION,
      ...description(object),
      variable: { kind: Kind.VARIABLE, name: named(text(object, "Variable")) },
      type: this.#type(object),
      ...(defaultValue ? { defaultValue } : {}),
      directives: this.#constDirectives(object),
    };
  };

  /** Operations and fragments lose their descriptions on the way, in gqlparser's own decoding. */
  query(object: AnyObject): DefinitionNode[] {
    const operations = this.each(object, "Operations", (each): DefinitionNode => {
      const given = text(each, "Name");
      return {
        kind: Kind.OPERATION_DEFINITION,
        operation: operation(each),
        ...(given === "" ? {} : { name: named(given) }),
        variableDefinitions: this.each(each, "VariableDefinitions", this.#variable),
        directives: this.#directives(each),
        selectionSet: this.#selections(each),
      };
    });
    const fragments = this.each(
      object,
      "Fragments",
      (each): DefinitionNode => ({
        kind: Kind.FRAGMENT_DEFINITION,
        name: name(each),
        variableDefinitions: this.each(each, "VariableDefinition", this.#variable),
        typeCondition: namedType(text(each, "TypeCondition")),
        directives: this.#directives(each),
        selectionSet: this.#selections(each),
      }),
    );
    return [...operations, ...fragments];
  }

  #input = (object: AnyObject): InputValueDefinitionNode => {
    const defaultValue = this.#constant(this.#one(object, "DefaultValue", this.#value));
    return {
      kind: Kind.INPUT_VALUE_DEFINITION,
      ...description(object),
      name: name(object),
      type: this.#type(object),
      ...(defaultValue ? { defaultValue } : {}),
      directives: this.#constDirectives(object),
    };
  };

  #output = (object: AnyObject): FieldDefinitionNode => ({
    kind: Kind.FIELD_DEFINITION,
    ...description(object),
    name: name(object),
    arguments: this.each(object, "Arguments", this.#input),
    type: this.#type(object),
    directives: this.#constDirectives(object),
  });

  #enumValue = (object: AnyObject): EnumValueDefinitionNode => ({
    kind: Kind.ENUM_VALUE_DEFINITION,
    ...description(object),
    name: name(object),
    directives: this.#constDirectives(object),
  });

  #typeDefinition(object: AnyObject, extension: 0 | 1): DefinitionNode {
    const given = text(object, "Kind");
    if (!isTypeKind(given)) throw new GraphqlTreeError(`unknown kind of type ${JSON.stringify(given)}`);
    const kind = definitionKinds[given][extension];
    const shared = { ...description(object), name: name(object), directives: this.#constDirectives(object) };
    const names = (key: string) => this.#texts(object, key).map(namedType);
    switch (kind) {
      case Kind.SCALAR_TYPE_DEFINITION:
      case Kind.SCALAR_TYPE_EXTENSION:
        return { kind, ...shared };
      case Kind.OBJECT_TYPE_DEFINITION:
      case Kind.OBJECT_TYPE_EXTENSION:
      case Kind.INTERFACE_TYPE_DEFINITION:
      case Kind.INTERFACE_TYPE_EXTENSION:
        return {
          kind,
          ...shared,
          interfaces: names("Interfaces"),
          fields: this.each(object, "Fields", this.#output),
        };
      case Kind.UNION_TYPE_DEFINITION:
      case Kind.UNION_TYPE_EXTENSION:
        return { kind, ...shared, types: names("Types") };
      case Kind.ENUM_TYPE_DEFINITION:
      case Kind.ENUM_TYPE_EXTENSION:
        return { kind, ...shared, values: this.each(object, "EnumValues", this.#enumValue) };
      case Kind.INPUT_OBJECT_TYPE_DEFINITION:
      case Kind.INPUT_OBJECT_TYPE_EXTENSION:
        return { kind, ...shared, fields: this.each(object, "Fields", this.#input) };
    }
  }

  #directive(object: AnyObject, isExtension: boolean): DirectiveDefinition {
    return {
      kind: Kind.DIRECTIVE_DEFINITION,
      ...description(object),
      name: name(object),
      arguments: this.each(object, "Arguments", this.#input),
      directives: this.#constDirectives(object),
      repeatable: flag(object, "IsRepeatable"),
      locations: this.#texts(object, "Locations").map(named),
      isExtension,
    };
  }

  #schema(object: AnyObject, kind: Kind.SCHEMA_DEFINITION | Kind.SCHEMA_EXTENSION): DefinitionNode {
    return {
      kind,
      ...description(object),
      directives: this.#constDirectives(object),
      operationTypes: this.each(object, "OperationTypes", (type) => ({
        kind: Kind.OPERATION_TYPE_DEFINITION,
        operation: operation(type),
        type: namedType(text(type, "Type")),
      })),
    };
  }

  schema(object: AnyObject): DefinitionNode[] {
    return [
      ...this.each(object, "Schema", (each) => this.#schema(each, Kind.SCHEMA_DEFINITION)),
      ...this.each(object, "SchemaExtension", (each) => this.#schema(each, Kind.SCHEMA_EXTENSION)),
      ...this.each(object, "Directives", (each) => this.#directive(each, false)),
      ...this.each(object, "DirectiveExtensions", (each) => this.#directive(each, true)),
      ...this.each(object, "Definitions", (each) => this.#typeDefinition(each, 0)),
      ...this.each(object, "Extensions", (each) => this.#typeDefinition(each, 1)),
    ];
  }
}

const document = (definitions: readonly DefinitionNode[]): DocumentNode => ({
  kind: Kind.DOCUMENT,
  definitions,
});

/** @throws GraphqlTreeError, GraphqlLimitError */
export function readQuery(value: AnyObject, maxParts: number): ParsedDocument {
  const reader = new TreeReader(maxParts);
  return { document: document(reader.query(value)), tokens: reader.objects };
}

/** @throws GraphqlTreeError, GraphqlLimitError */
export function readSchema(value: AnyObject, maxParts: number): ParsedDocument {
  const reader = new TreeReader(maxParts);
  return { document: document(reader.schema(value)), tokens: reader.objects };
}

/**
 * The types and directives a GraphQL schema declares, extensions merged into what they extend, as gqlparser's
 * ValidateSchemaDocument gathers them. An extension of a type that is not there declares it.
 */
import {
  type ConstDirectiveNode,
  type DefinitionNode,
  type DirectiveDefinitionNode,
  type DocumentNode,
  type EnumValueDefinitionNode,
  type FieldDefinitionNode,
  type InputValueDefinitionNode,
  Kind,
  type NamedTypeNode,
  type NameNode,
  type OperationTypeDefinitionNode,
  OperationTypeNode,
  type SchemaDefinitionNode,
  type SchemaExtensionNode,
  type Token,
  type TypeDefinitionNode,
  type TypeNode,
} from "graphql";
import { placeAfterKeyword } from "./graphql-comments.ts";
import {
  type DirectiveDefinition,
  directivesOf,
  isDirectiveExtension,
  parseDocument,
} from "./graphql-syntax.ts";
import { type TypeKind, type TypeNodeOfSchema, typeKinds } from "./graphql-tree.ts";

export type Member = FieldDefinitionNode | InputValueDefinitionNode;

export interface DeclaredType {
  readonly kind: TypeKind;
  readonly name: NameNode;
  readonly description: TypeDefinitionNode["description"];
  /** Part of the language; taken to be right. */
  readonly builtIn: boolean;
  readonly directives: ConstDirectiveNode[];
  readonly interfaces: NamedTypeNode[];
  readonly fields: Member[];
  readonly members: NamedTypeNode[];
  readonly values: EnumValueDefinitionNode[];
}

/** A schema gqlparser refuses, in its words. */
export class GraphqlSchemaError extends Error {
  constructor(message: string, at: { readonly startToken: Token } | undefined) {
    const place = at ? `:${at.startToken.line}:${at.startToken.column}` : "";
    super(`input${place}: ${message}`);
    this.name = "GraphqlSchemaError";
  }
}

export interface Declarations {
  readonly types: ReadonlyMap<string, DeclaredType>;
  readonly directives: ReadonlyMap<string, DirectiveDefinition>;
  readonly schemas: readonly (SchemaDefinitionNode | SchemaExtensionNode)[];
  /** Whether operations' types are named by a `schema`, or found by their own names. */
  readonly hasSchema: boolean;
}

const preludeText = `
  scalar Int
  scalar Float
  scalar String
  scalar Boolean
  scalar ID
  directive @defer(if: Boolean = true, label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT
  directive @include(if: Boolean!) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT
  directive @skip(if: Boolean!) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT
  directive @deprecated(reason: String = "No longer supported")
    on FIELD_DEFINITION | ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION | ENUM_VALUE | DIRECTIVE_DEFINITION
  directive @specifiedBy(url: String!) on SCALAR
  directive @oneOf on INPUT_OBJECT
  type __Schema
  type __Type
  enum __TypeKind
  type __Field
  type __InputValue
  type __EnumValue
  type __Directive
  enum __DirectiveLocation
`;

/** What each schema has without saying so: GraphQL's own, and `@defer`, which gqlparser adds. */
const prelude = parseDocument(preludeText, "schema", 1_000).document.definitions;

const preludeDirectives: ReadonlySet<string> = new Set(
  prelude.flatMap((node) => (node.kind === Kind.DIRECTIVE_DEFINITION ? [node.name.value] : [])),
);

const isExtension = (node: TypeNodeOfSchema): boolean => node.kind.endsWith("Extension");

const emptyType = (node: TypeNodeOfSchema, builtIn: boolean): DeclaredType => ({
  kind: typeKinds[node.kind],
  name: node.name,
  description: "description" in node ? node.description : undefined,
  builtIn,
  directives: [],
  interfaces: [],
  fields: [],
  members: [],
  values: [],
});

function append(type: DeclaredType, node: TypeNodeOfSchema): void {
  type.directives.push(...(node.directives ?? []));
  if ("interfaces" in node) type.interfaces.push(...(node.interfaces ?? []));
  if ("fields" in node) for (const field of node.fields ?? []) type.fields.push(field);
  if ("types" in node) for (const member of node.types ?? []) type.members.push(member);
  if ("values" in node) for (const value of node.values ?? []) type.values.push(value);
}

class Gathering {
  readonly types = new Map<string, DeclaredType>();
  readonly directives = new Map<string, DirectiveDefinition>();

  define(node: TypeNodeOfSchema, builtIn: boolean): void {
    const { value } = node.name;
    if (this.types.has(value)) throw new GraphqlSchemaError(`Cannot redeclare type ${value}.`, node.name.loc);
    const type = emptyType(node, builtIn);
    this.types.set(value, type);
    append(type, node);
  }

  extend(node: TypeNodeOfSchema): void {
    const { value } = node.name;
    const type = this.types.get(value) ?? emptyType(node, false);
    this.types.set(value, type);
    if (type.kind !== typeKinds[node.kind])
      throw new GraphqlSchemaError(
        `Cannot extend type ${value} because the base type is a ${type.kind}, not ${typeKinds[node.kind]}.`,
        node.name.loc,
      );
    if (type.builtIn) throw new GraphqlSchemaError(`Cannot extend built-in type ${value}.`, node.name.loc);
    append(type, node);
  }

  direct(node: DirectiveDefinitionNode): void {
    const { value } = node.name;
    if (this.directives.has(value) && !preludeDirectives.has(value))
      throw new GraphqlSchemaError(`Cannot redeclare directive ${value}.`, node.name.loc);
    this.directives.set(value, { ...node, directives: directivesOf(node), isExtension: false });
  }

  extendDirective(node: DirectiveDefinitionNode): void {
    const { value } = node.name;
    const found = this.directives.get(value);
    if (!found)
      throw new GraphqlSchemaError(
        `Cannot extend directive @${value} because it is not defined.`,
        node.name.loc,
      );
    this.directives.set(value, { ...found, directives: [...found.directives, ...directivesOf(node)] });
  }
}

/** @throws GraphqlSchemaError */
export function declarationsOf(document: DocumentNode): Declarations {
  const gathering = new Gathering();
  const extensions: TypeNodeOfSchema[] = [];
  const directives: DirectiveDefinitionNode[] = [];
  const definitions: SchemaDefinitionNode[] = [];
  const schemaExtensions: SchemaExtensionNode[] = [];
  const gather = (node: DefinitionNode, builtIn: boolean): void => {
    if (node.kind === Kind.OPERATION_DEFINITION || node.kind === Kind.FRAGMENT_DEFINITION) return;
    if (node.kind === Kind.SCHEMA_DEFINITION) definitions.push(node);
    else if (node.kind === Kind.SCHEMA_EXTENSION) schemaExtensions.push(node);
    else if (node.kind === Kind.DIRECTIVE_DEFINITION) directives.push(node);
    else if (isExtension(node)) extensions.push(node);
    else gathering.define(node, builtIn);
  };
  for (const node of prelude) gather(node, true);
  for (const node of document.definitions) gather(node, false);
  for (const node of extensions) gathering.extend(node);
  for (const node of directives) if (!isDirectiveExtension(node)) gathering.direct(node);
  for (const node of directives) if (isDirectiveExtension(node)) gathering.extendDirective(node);
  const [, second] = definitions;
  if (second)
    throw new GraphqlSchemaError(
      "Cannot have multiple schema entry points, consider schema extensions instead.",
      placeAfterKeyword(second),
    );
  return {
    types: gathering.types,
    directives: gathering.directives,
    schemas: [...definitions, ...schemaExtensions],
    hasSchema: definitions.length === 1,
  };
}

export type Roots = ReadonlyMap<OperationTypeNode, DeclaredType>;

/** The types operations begin at, by whether a `schema` or their names say so. @throws GraphqlSchemaError */
export function rootsOf({ types, schemas, hasSchema }: Declarations): Roots {
  const entries = new Map<OperationTypeNode, OperationTypeDefinitionNode>();
  const roots = new Map<OperationTypeNode, DeclaredType>();
  for (const entry of schemas.flatMap(({ operationTypes }) => operationTypes ?? [])) {
    if (entries.has(entry.operation))
      throw new GraphqlSchemaError(`There can be only one ${entry.operation} type in schema.`, entry.loc);
    const { value } = entry.type.name;
    const type = types.get(value);
    if (!type)
      throw new GraphqlSchemaError(
        `Schema root ${entry.operation} refers to a type ${value} that does not exist.`,
        entry.loc,
      );
    entries.set(entry.operation, entry);
    roots.set(entry.operation, type);
  }
  for (const operation of [
    OperationTypeNode.QUERY,
    OperationTypeNode.MUTATION,
    OperationTypeNode.SUBSCRIPTION,
  ]) {
    const name = `${operation.charAt(0).toUpperCase()}${operation.slice(1)}`;
    const found = hasSchema ? undefined : types.get(name);
    if (found && !roots.has(operation)) roots.set(operation, found);
    const root = roots.get(operation);
    if (root && root.kind !== "OBJECT") {
      const condition = operation === OperationTypeNode.QUERY ? "" : " if provided";
      throw new GraphqlSchemaError(
        `${name} root type must be Object type${condition}, it cannot be ${root.name.value}.`,
        entries.get(operation)?.loc ?? root.name.loc,
      );
    }
  }
  return roots;
}

/** The name at the heart of lists and non-nulls. */
export function namedTypeOf(type: TypeNode): string {
  let at = type;
  while (at.kind !== Kind.NAMED_TYPE) at = at.type;
  return at.name.value;
}

/**
 * A checked GraphQL schema as graphql-js's own, to validate queries with. Its builder looks up what it cannot trust
 * (defaults that hold each other, arguments of directives), so it gets only what the rules for queries look at; that
 * an argument has a default is noted afterwards.
 */
import {
  buildASTSchema,
  type ConstDirectiveNode,
  type DefinitionNode,
  type DirectiveDefinitionNode,
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  type InputValueDefinitionNode,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  Kind,
  type TypeDefinitionNode,
} from "graphql";
import { checkDeclarations } from "./graphql-schema-check.ts";
import {
  type Declarations,
  type DeclaredType,
  declarationsOf,
  GraphqlSchemaError,
  type Member,
  type Roots,
  rootsOf,
} from "./graphql-types.ts";

const input = ({ kind, name, type }: InputValueDefinitionNode): InputValueDefinitionNode => ({
  kind,
  name,
  type,
});
const inputs = (nodes: readonly InputValueDefinitionNode[] = []) => nodes.map(input);

const outputFields = (fields: readonly Member[]) =>
  fields.flatMap((field) =>
    field.kind === Kind.FIELD_DEFINITION
      ? [{ kind: field.kind, name: field.name, type: field.type, arguments: inputs(field.arguments) }]
      : [],
  );

const inputFields = (fields: readonly Member[]) =>
  fields.flatMap((field) => (field.kind === Kind.INPUT_VALUE_DEFINITION ? [input(field)] : []));

function typeNode(type: DeclaredType): TypeDefinitionNode {
  const { name, interfaces } = type;
  switch (type.kind) {
    case "SCALAR":
      return { kind: Kind.SCALAR_TYPE_DEFINITION, name };
    case "OBJECT":
      return { kind: Kind.OBJECT_TYPE_DEFINITION, name, interfaces, fields: outputFields(type.fields) };
    case "INTERFACE":
      return { kind: Kind.INTERFACE_TYPE_DEFINITION, name, interfaces, fields: outputFields(type.fields) };
    case "UNION":
      return { kind: Kind.UNION_TYPE_DEFINITION, name, types: type.members };
    case "ENUM":
      return {
        kind: Kind.ENUM_TYPE_DEFINITION,
        name,
        values: type.values.map((value) => ({ kind: value.kind, name: value.name })),
      };
    case "INPUT_OBJECT":
      return {
        kind: Kind.INPUT_OBJECT_TYPE_DEFINITION,
        name,
        directives: type.directives.filter((directive) => directive.name.value === "oneOf").slice(0, 1),
        fields: inputFields(type.fields),
      };
  }
}

const directiveNode = (node: DirectiveDefinitionNode): DirectiveDefinitionNode => ({
  kind: node.kind,
  name: node.name,
  arguments: inputs(node.arguments),
  repeatable: node.repeatable,
  locations: node.locations,
});

function definitions(declared: Declarations, roots: Roots): DefinitionNode[] {
  const own = [...declared.types.values()].filter(({ builtIn }) => !builtIn);
  return [
    ...own.map(typeNode),
    ...[...declared.directives.values()].map(directiveNode),
    {
      kind: Kind.SCHEMA_DEFINITION,
      directives: [] as ConstDirectiveNode[],
      operationTypes: [...roots].map(([operation, { name }]) => ({
        kind: Kind.OPERATION_TYPE_DEFINITION,
        operation,
        type: { kind: Kind.NAMED_TYPE, name },
      })),
    },
  ];
}

interface Defaulted {
  readonly name: string;
  /** Anything but undefined makes it optional; null is what no rule reads as a value. */
  defaultValue?: unknown;
}

function noteDefaults(
  targets: Iterable<Defaulted>,
  nodes: readonly InputValueDefinitionNode[] | undefined,
): void {
  const names = new Set<string>();
  for (const node of nodes ?? []) if (node.defaultValue) names.add(node.name.value);
  for (const target of targets) if (names.has(target.name)) target.defaultValue = null;
}

function noteAllDefaults(schema: GraphQLSchema, { types, directives }: Declarations): void {
  for (const declared of types.values()) {
    if (declared.builtIn) continue;
    const type = schema.getType(declared.name.value);
    if (isInputObjectType(type)) {
      const nodes = declared.fields.filter((field) => field.kind === Kind.INPUT_VALUE_DEFINITION);
      noteDefaults(Object.values(type.getFields()), nodes);
    } else if (isObjectType(type) || isInterfaceType(type)) {
      const fields = type.getFields();
      for (const node of declared.fields)
        if (node.kind === Kind.FIELD_DEFINITION)
          noteDefaults(fields[node.name.value]?.args ?? [], node.arguments);
    }
  }
  for (const node of directives.values())
    noteDefaults(schema.getDirective(node.name.value)?.args ?? [], node.arguments);
}

/** @throws GraphqlSchemaError */
export function buildSchema(document: DocumentNode): GraphQLSchema {
  const declared = declarationsOf(document);
  checkDeclarations(declared);
  const roots = rootsOf(declared);
  try {
    const schema = buildASTSchema(
      { kind: Kind.DOCUMENT, definitions: definitions(declared, roots) },
      { assumeValid: true, assumeValidSDL: true },
    );
    noteAllDefaults(schema, declared);
    return schema;
  } catch (error) {
    // Names no text can have, in a schema given as a value.
    if (error instanceof GraphQLError) throw new GraphqlSchemaError(error.message, undefined);
    throw error;
  }
}

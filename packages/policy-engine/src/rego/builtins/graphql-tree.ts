/**
 * A GraphQL syntax tree as the Rego value OPA makes of it: gqlparser's structs (its ast package) by their Go names,
 * without positions and without what is null or empty. Texts and truth values stay even where they are empty, so
 * `Description` and `Location` are always there.
 */
import {
  type ArgumentNode,
  type DirectiveDefinitionNode,
  type DirectiveNode,
  type DocumentNode,
  type EnumValueDefinitionNode,
  type FieldDefinitionNode,
  type FragmentDefinitionNode,
  type InputValueDefinitionNode,
  Kind,
  type OperationDefinitionNode,
  type SchemaDefinitionNode,
  type SchemaExtensionNode,
  type SelectionNode,
  type SelectionSetNode,
  type TypeDefinitionNode,
  type TypeExtensionNode,
  type TypeNode,
  type ValueNode,
  type VariableDefinitionNode,
} from "graphql";
import type { PlainObject, RegoValue } from "../values.ts";
import { countWork } from "../work-meter.ts";
import {
  commentsBefore,
  commentsBeforeEnd,
  commentsBeforeName,
  commentsOfDefinition,
  documentComment,
} from "./graphql-comments.ts";
import { directivesOf, isDirectiveExtension } from "./graphql-syntax.ts";

/** Units of work a node takes, with the comments that are looked for before it. */
const treeCost = 16;

/** Members in gqlparser's order; those that are undefined or empty fall away. */
function tree(members: Readonly<Record<string, RegoValue | undefined>>): PlainObject {
  countWork(treeCost);
  const kept: Record<string, RegoValue> = {};
  for (const [name, value] of Object.entries(members))
    if (value !== undefined && !(Array.isArray(value) && value.length === 0)) kept[name] = value;
  return kept;
}

/** gqlparser's kinds of values, which are numbers. */
export const valueKinds = [
  Kind.VARIABLE,
  Kind.INT,
  Kind.FLOAT,
  Kind.STRING,
  "BlockString",
  Kind.BOOLEAN,
  Kind.NULL,
  Kind.ENUM,
  Kind.LIST,
  Kind.OBJECT,
] as const;

type ValueKind = (typeof valueKinds)[number];

function rawText(node: ValueNode): string {
  switch (node.kind) {
    case Kind.VARIABLE:
      return node.name.value;
    case Kind.LIST:
    case Kind.OBJECT:
      return "";
    case Kind.NULL:
      return "null";
    case Kind.BOOLEAN:
      return String(node.value);
    default:
      return node.value;
  }
}

function children(node: ValueNode): PlainObject[] {
  if (node.kind === Kind.LIST) return node.values.map((value) => ({ Name: "", Value: valueTree(value) }));
  if (node.kind !== Kind.OBJECT) return [];
  return node.fields.map((field) =>
    tree({ Name: field.name.value, Value: valueTree(field.value), Comment: commentsBefore(field) }),
  );
}

function valueTree(node: ValueNode): PlainObject {
  const kind: ValueKind = node.kind === Kind.STRING && node.block === true ? "BlockString" : node.kind;
  const nested = node.kind === Kind.LIST || node.kind === Kind.OBJECT;
  return tree({
    Raw: rawText(node),
    Children: children(node),
    Kind: valueKinds.indexOf(kind),
    Comment: nested ? commentsBefore(node) : undefined,
    ExpectedTypeHasDefault: false,
  });
}

function typeTree(node: TypeNode, nonNull = false): PlainObject {
  switch (node.kind) {
    case Kind.NON_NULL_TYPE:
      return typeTree(node.type, true);
    case Kind.LIST_TYPE:
      return { NamedType: "", Elem: typeTree(node.type), NonNull: nonNull };
    case Kind.NAMED_TYPE:
      return { NamedType: node.name.value, NonNull: nonNull };
  }
}

const argumentTree = (node: ArgumentNode): PlainObject =>
  tree({ Name: node.name.value, Value: valueTree(node.value), Comment: commentsBefore(node) });

const directiveTrees = (nodes: readonly DirectiveNode[] = []): PlainObject[] =>
  nodes.map((node) =>
    tree({ Name: node.name.value, Arguments: node.arguments?.map(argumentTree), Location: "" }),
  );

function selectionTree(node: SelectionNode): PlainObject {
  const Directives = directiveTrees(node.directives);
  const Comment = commentsBefore(node);
  switch (node.kind) {
    case Kind.FIELD:
      return tree({
        Alias: node.alias?.value ?? node.name.value,
        Name: node.name.value,
        Arguments: node.arguments?.map(argumentTree),
        Directives,
        SelectionSet: node.selectionSet && selectionTrees(node.selectionSet),
        Comment,
      });
    case Kind.FRAGMENT_SPREAD:
      return tree({ Name: node.name.value, Directives, Comment });
    case Kind.INLINE_FRAGMENT:
      return tree({
        TypeCondition: node.typeCondition?.name.value ?? "",
        Directives,
        SelectionSet: selectionTrees(node.selectionSet),
        Comment,
      });
  }
}

const selectionTrees = (set: SelectionSetNode): PlainObject[] => set.selections.map(selectionTree);

const variableTree = (node: VariableDefinitionNode): PlainObject =>
  tree({
    Description: node.description?.value ?? "",
    Variable: node.variable.name.value,
    Type: typeTree(node.type),
    DefaultValue: node.defaultValue && valueTree(node.defaultValue),
    Directives: directiveTrees(node.directives),
    Comment: commentsOfDefinition(node),
    Used: false,
  });

const operationTree = (node: OperationDefinitionNode): PlainObject =>
  tree({
    Description: node.description?.value ?? "",
    Operation: node.operation,
    Name: node.name?.value ?? "",
    VariableDefinitions: node.variableDefinitions?.map(variableTree),
    Directives: directiveTrees(node.directives),
    SelectionSet: selectionTrees(node.selectionSet),
    Comment: commentsOfDefinition(node),
  });

const fragmentTree = (node: FragmentDefinitionNode): PlainObject =>
  tree({
    Description: node.description?.value ?? "",
    Name: node.name.value,
    VariableDefinition: node.variableDefinitions?.map(variableTree),
    TypeCondition: node.typeCondition.name.value,
    Directives: directiveTrees(node.directives),
    SelectionSet: selectionTrees(node.selectionSet),
    Comment: commentsOfDefinition(node),
  });

type Member = FieldDefinitionNode | InputValueDefinitionNode;

function memberTree(node: Member): PlainObject {
  return tree({
    Description: node.description?.value ?? "",
    Name: node.name.value,
    Arguments: node.kind === Kind.FIELD_DEFINITION ? node.arguments?.map(memberTree) : undefined,
    DefaultValue:
      node.kind === Kind.INPUT_VALUE_DEFINITION && node.defaultValue
        ? valueTree(node.defaultValue)
        : undefined,
    Type: typeTree(node.type),
    Directives: directiveTrees(node.directives),
    ...commentsBeforeName(node),
  });
}

const enumValueTree = (node: EnumValueDefinitionNode): PlainObject =>
  tree({
    Description: node.description?.value ?? "",
    Name: node.name.value,
    Directives: directiveTrees(node.directives),
    ...commentsBeforeName(node),
  });

/** gqlparser's names of the kinds of types, which are those of the places a directive may stand at. */
export const typeKinds = {
  [Kind.SCALAR_TYPE_DEFINITION]: "SCALAR",
  [Kind.SCALAR_TYPE_EXTENSION]: "SCALAR",
  [Kind.OBJECT_TYPE_DEFINITION]: "OBJECT",
  [Kind.OBJECT_TYPE_EXTENSION]: "OBJECT",
  [Kind.INTERFACE_TYPE_DEFINITION]: "INTERFACE",
  [Kind.INTERFACE_TYPE_EXTENSION]: "INTERFACE",
  [Kind.UNION_TYPE_DEFINITION]: "UNION",
  [Kind.UNION_TYPE_EXTENSION]: "UNION",
  [Kind.ENUM_TYPE_DEFINITION]: "ENUM",
  [Kind.ENUM_TYPE_EXTENSION]: "ENUM",
  [Kind.INPUT_OBJECT_TYPE_DEFINITION]: "INPUT_OBJECT",
  [Kind.INPUT_OBJECT_TYPE_EXTENSION]: "INPUT_OBJECT",
} as const;

export type TypeKind = (typeof typeKinds)[keyof typeof typeKinds];
export type TypeNodeOfSchema = TypeDefinitionNode | TypeExtensionNode;

function typeDefinitionTree(node: TypeNodeOfSchema): PlainObject {
  return tree({
    Kind: typeKinds[node.kind],
    Description: "description" in node ? (node.description?.value ?? "") : "",
    Name: node.name.value,
    Directives: directiveTrees(node.directives),
    Interfaces: "interfaces" in node ? node.interfaces?.map(({ name }) => name.value) : undefined,
    Fields: "fields" in node ? node.fields?.map(memberTree) : undefined,
    Types: "types" in node ? node.types?.map(({ name }) => name.value) : undefined,
    EnumValues: "values" in node ? node.values?.map(enumValueTree) : undefined,
    BuiltIn: false,
    ...commentsBeforeEnd(node),
  });
}

const schemaTree = (node: SchemaDefinitionNode | SchemaExtensionNode): PlainObject =>
  tree({
    Description: "description" in node ? (node.description?.value ?? "") : "",
    Directives: directiveTrees(node.directives),
    OperationTypes: node.operationTypes?.map((type) =>
      tree({ Operation: type.operation, Type: type.type.name.value, Comment: commentsBefore(type) }),
    ),
    ...commentsBeforeEnd(node),
  });

function directiveDefinitionTree(node: DirectiveDefinitionNode): PlainObject {
  const { EndOfDefinitionComment: _, ...comments } = commentsBeforeEnd(node);
  return tree({
    Description: node.description?.value ?? "",
    Name: node.name.value,
    Arguments: node.arguments?.map(memberTree),
    Directives: directiveTrees(directivesOf(node)),
    Locations: node.locations.map(({ value }) => value),
    IsRepeatable: node.repeatable,
    ...comments,
  });
}

export function queryTree(document: DocumentNode): PlainObject {
  const operations: PlainObject[] = [];
  const fragments: PlainObject[] = [];
  for (const node of document.definitions)
    if (node.kind === Kind.OPERATION_DEFINITION) operations.push(operationTree(node));
    else if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.push(fragmentTree(node));
  return tree({ Operations: operations, Fragments: fragments });
}

export function schemaDocumentTree(document: DocumentNode): PlainObject {
  const lists = {
    Schema: [] as PlainObject[],
    SchemaExtension: [] as PlainObject[],
    Directives: [] as PlainObject[],
    DirectiveExtensions: [] as PlainObject[],
    Definitions: [] as PlainObject[],
    Extensions: [] as PlainObject[],
  };
  for (const node of document.definitions)
    switch (node.kind) {
      case Kind.OPERATION_DEFINITION:
      case Kind.FRAGMENT_DEFINITION:
        break;
      case Kind.SCHEMA_DEFINITION:
        lists.Schema.push(schemaTree(node));
        break;
      case Kind.SCHEMA_EXTENSION:
        lists.SchemaExtension.push(schemaTree(node));
        break;
      case Kind.DIRECTIVE_DEFINITION:
        (isDirectiveExtension(node) ? lists.DirectiveExtensions : lists.Directives).push(
          directiveDefinitionTree(node),
        );
        break;
      default:
        (node.kind.endsWith("Extension") ? lists.Extensions : lists.Definitions).push(
          typeDefinitionTree(node),
        );
    }
  return tree({ ...lists, Comment: documentComment(document) });
}

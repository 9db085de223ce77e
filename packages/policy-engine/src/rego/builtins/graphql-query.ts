/**
 * Whether a GraphQL query fits a schema: graphql-js's rules, which are those of gqlparser and of the specification
 * (October 2021, section 5), but for two. The operation must have a type to begin at, which graphql-js leaves to
 * execution; and introspection's depth is measured once for each fragment, where graphql-js walks each path to it.
 */
import {
  type ASTVisitor,
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLSchema,
  Kind,
  MaxIntrospectionDepthRule,
  type SelectionNode,
  type SelectionSetNode,
  specifiedRules,
  type ValidationContext,
  type ValidationRule,
  type ValueNode,
  validate,
  visit,
} from "graphql";

const knownRootType: ValidationRule = (context: ValidationContext): ASTVisitor => ({
  OperationDefinition(node) {
    if (!context.getSchema().getRootType(node.operation))
      context.reportError(
        new GraphQLError(`Schema does not support operation type "${node.operation}"`, { nodes: node }),
      );
  },
});

/** Fields of introspection that are lists of types, or lead to some. */
const listFields = new Set(["fields", "interfaces", "possibleTypes", "inputFields"]);
const maxListDepth = 3;

/** How many lists of types lie within each other in a selection. */
class ListDepth {
  readonly #context: ValidationContext;
  readonly #fragments = new Map<FragmentDefinitionNode, number>();

  constructor(context: ValidationContext) {
    this.#context = context;
  }

  of(node: SelectionNode): number {
    switch (node.kind) {
      case Kind.FIELD: {
        const within = node.selectionSet ? this.#deepest(node.selectionSet) : 0;
        return within + (listFields.has(node.name.value) ? 1 : 0);
      }
      case Kind.INLINE_FRAGMENT:
        return this.#deepest(node.selectionSet);
      case Kind.FRAGMENT_SPREAD: {
        const fragment = this.#context.getFragment(node.name.value);
        return fragment ? this.#ofFragment(fragment) : 0;
      }
    }
  }

  #deepest({ selections }: SelectionSetNode): number {
    let deepest = 0;
    for (const node of selections) deepest = Math.max(deepest, this.of(node));
    return deepest;
  }

  /** A fragment within itself counts as empty there: the rule against that reports it. */
  #ofFragment(fragment: FragmentDefinitionNode): number {
    const known = this.#fragments.get(fragment);
    if (known !== undefined) return known;
    this.#fragments.set(fragment, 0);
    const depth = this.#deepest(fragment.selectionSet);
    this.#fragments.set(fragment, depth);
    return depth;
  }
}

const introspectionDepth: ValidationRule = (context: ValidationContext): ASTVisitor => {
  const depth = new ListDepth(context);
  return {
    Field(node) {
      if (node.name.value !== "__schema" && node.name.value !== "__type") return undefined;
      if (depth.of(node) < maxListDepth) return undefined;
      context.reportError(new GraphQLError("Maximum introspection depth exceeded", { nodes: node }));
      return false;
    },
  };
};

const rules: readonly ValidationRule[] = [
  knownRootType,
  ...specifiedRules.filter((rule) => rule !== MaxIntrospectionDepthRule),
  introspectionDepth,
];

function nodesOf(value: ValueNode): number {
  let count = 1;
  if (value.kind === Kind.LIST) for (const item of value.values) count += nodesOf(item);
  if (value.kind === Kind.OBJECT) for (const field of value.fields) count += 1 + nodesOf(field.value);
  return count;
}

interface SameName {
  fields: number;
  withSelection: number;
  /** Nodes of all their arguments. */
  argumentNodes: number;
}

/**
 * What it costs, in units of work, to look for fields that cannot be merged: each two of the same name may be compared,
 * their arguments as text, their selections as sets. The weights are those of measurements.
 */
export function comparisonCost(query: DocumentNode): number {
  const names = new Map<string, SameName>();
  visit(query, {
    Field(node) {
      const key = node.alias?.value ?? node.name.value;
      const found = names.get(key) ?? { fields: 0, withSelection: 0, argumentNodes: 0 };
      names.set(key, found);
      found.fields++;
      if (node.selectionSet) found.withSelection++;
      for (const { value } of node.arguments ?? []) found.argumentNodes += 1 + nodesOf(value);
    },
  });
  let cost = 0;
  for (const { fields, withSelection, argumentNodes } of names.values())
    cost += fields * (fields + 2 * withSelection + 8 * argumentNodes);
  return cost;
}

/** The first fault of a query. OPA tells all, one after another; the first is the same where there is one. */
export function firstFault(schema: GraphQLSchema, query: DocumentNode): GraphQLError | undefined {
  return validate(schema, query, rules, { maxErrors: 1 })[0];
}

/** `graphql.*` (OPA's v1/topdown/graphql.go). Queries and schemas come as text or as the trees these give. */
import type { DocumentNode, GraphQLSchema } from "graphql";
import { flatCopy } from "../../flat-copy.ts";
import { isObject, type PlainObject, type RegoValue } from "../values.ts";
import { type Builtin, type BuiltinContext, BuiltinError, LimitError } from "./contract.ts";
import { maxQueryTokens, maxSchemaTokens } from "./graphql-limits.ts";
import { comparisonCost, firstFault } from "./graphql-query.ts";
import { buildSchema } from "./graphql-schema.ts";
import {
  type DocumentKind,
  GraphqlLimitError,
  GraphqlSyntaxError,
  type ParsedDocument,
  parseDocument,
} from "./graphql-syntax.ts";
import { queryTree, schemaDocumentTree } from "./graphql-tree.ts";
import { GraphqlSchemaError } from "./graphql-types.ts";
import { GraphqlTreeError, readQuery, readSchema } from "./graphql-values.ts";
import { builtin, failure, operand, textOperand, wrongType } from "./operands.ts";

const maxTokens = { query: maxQueryTokens, schema: maxSchemaTokens } as const;

/**
 * Units of work a token costs, for what cannot be interrupted and so is charged beforehand: to become a value; checking
 * and building a schema, 10 µs; checking a query. With them no document that a query has work for takes longer than
 * about 200 ms in one piece.
 */
const treeCost = 16;
const schemaCost = 200;
const queryCost = 64;
/** The same for a unit of `comparisonCost`. */
const comparisonWeight = 12;

/** What the modules below throw, in OPA's words; anything else is a fault of this program. */
function asFailure(error: unknown): BuiltinError | LimitError {
  if (error instanceof GraphqlSyntaxError)
    return failure(`${error.message} in GraphQL string at location ${error.row}:${error.column}`, error);
  if (error instanceof GraphqlSchemaError)
    return failure(`Error in gqlparser SchemaDocument to Schema conversion: ${error.message}`, error);
  if (error instanceof GraphqlLimitError) return new LimitError(error.message, { cause: error });
  if (error instanceof GraphqlTreeError) return failure(error.message, error);
  // By its name: bundles and test runners may load the library twice, as module and as CommonJS.
  if (error instanceof Error && error.name === "GraphQLError") return failure(error.message, error);
  // graphql-js's rules recurse along fragments; the token limit keeps them short, but not whoever calls this.
  if (error instanceof RangeError)
    return new LimitError("a GraphQL document nests too deeply", { cause: error });
  throw error;
}

function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw asFailure(error);
  }
}

function parsed(text: string, kind: DocumentKind, context: BuiltinContext): ParsedDocument {
  context.spend(1 + Math.floor(text.length / 8));
  const document = guarded(() => parseDocument(text, kind, maxTokens[kind]));
  context.spend(treeCost * document.tokens);
  return document;
}

/** `position` as OPA reports it, which counts these from 0. */
function documentOf(
  value: RegoValue,
  kind: DocumentKind,
  position: number,
  context: BuiltinContext,
): ParsedDocument {
  if (typeof value === "string") return parsed(value, kind, context);
  if (!isObject(value)) throw wrongType(position, value, "string", "object");
  const read = kind === "query" ? readQuery : readSchema;
  const document = guarded(() => read(value, maxTokens[kind]));
  context.spend(treeCost * document.tokens);
  return document;
}

/** Texts of schemas up to this length are kept with what was made of them, between queries. */
const maxCachedLength = 64 * 1024;

class CheckedSchema {
  readonly schema: GraphQLSchema;
  readonly tree: PlainObject;
  constructor(schema: GraphQLSchema, tree: PlainObject) {
    this.schema = schema;
    this.tree = tree;
  }
}

function checkedSchema(value: RegoValue, position: number, context: BuiltinContext): CheckedSchema {
  const kept = typeof value === "string" && value.length <= maxCachedLength ? flatCopy(value) : undefined;
  const key = kept === undefined ? undefined : `graphql.schema:${kept}`;
  const cached = key === undefined ? undefined : context.cache.get(key);
  if (cached instanceof CheckedSchema) return cached;
  const { document, tokens } = documentOf(kept ?? value, "schema", position, context);
  context.spend(schemaCost * tokens);
  const checked = guarded(() => new CheckedSchema(buildSchema(document), schemaDocumentTree(document)));
  if (key !== undefined) context.cache.set(key, checked, 2 * tokens);
  return checked;
}

function checkQuery(
  schema: GraphQLSchema,
  { document, tokens }: ParsedDocument,
  context: BuiltinContext,
): void {
  context.spend(1 + queryCost * tokens);
  context.spend(comparisonWeight * comparisonCost(document));
  const fault = guarded(() => firstFault(schema, document));
  if (!fault) return;
  const message = fault.message.endsWith(".") ? fault.message.slice(0, -1) : fault.message;
  const [place] = fault.locations ?? [];
  if (!place) throw failure(`GraphQL parse error: input: ${message}.`, fault);
  throw failure(`${message} in GraphQL string at location ${place.line}:${place.column}`, fault);
}

interface Verified {
  readonly query: DocumentNode;
  readonly schema: CheckedSchema;
}

function verify(args: readonly RegoValue[], context: BuiltinContext): Verified {
  const query = documentOf(operand(args, 1), "query", 0, context);
  const schema = checkedSchema(operand(args, 2), 1, context);
  checkQuery(schema.schema, query, context);
  return { query: query.document, schema };
}

/** Undefined where OPA's answer is that the documents are wrong, however wrong; out of work is another thing. */
function verified<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof BuiltinError) return undefined;
    throw error;
  }
}

function parse(args: readonly RegoValue[], context: BuiltinContext): RegoValue {
  const { query, schema } = verify(args, context);
  return [queryTree(query), schema.tree];
}

function parseAndVerify(args: readonly RegoValue[], context: BuiltinContext): RegoValue {
  const found = verified(() => verify(args, context));
  return found ? [true, queryTree(found.query), found.schema.tree] : [false, {}, {}];
}

export const graphqlBuiltins: readonly Builtin[] = [
  builtin("graphql.parse", 2, parse),
  builtin("graphql.parse_and_verify", 2, parseAndVerify),
  builtin("graphql.parse_query", 1, (args, context) =>
    queryTree(parsed(textOperand(args, 1), "query", context).document),
  ),
  builtin("graphql.parse_schema", 1, (args, context) =>
    schemaDocumentTree(parsed(textOperand(args, 1), "schema", context).document),
  ),
  builtin("graphql.is_valid", 2, (args, context) => verified(() => verify(args, context)) !== undefined),
  builtin(
    "graphql.schema_is_valid",
    1,
    (args, context) => verified(() => checkedSchema(operand(args, 1), 0, context)) !== undefined,
  ),
];

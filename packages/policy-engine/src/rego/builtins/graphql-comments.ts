/**
 * Where gqlparser keeps comments: each node has those that stand right before the token it begins with, definitions
 * also those between their description and their keyword, and before the brace that ends them. Some are lost there,
 * and so here: before the shorthand query `{`, before scalar values and directives.
 *
 * graphql-js leaves comments in its chain of tokens. A tree that was read from a value has no tokens, and none here.
 */
import { type ASTNode, type DocumentNode, Kind, type Token, TokenKind } from "graphql";
import type { PlainObject } from "../values.ts";

type Comments = PlainObject | undefined;

interface Described {
  readonly description?: { readonly value: string; readonly loc?: { readonly endToken: Token } };
}

function listBefore(token: Token | null | undefined): PlainObject[] {
  const list: PlainObject[] = [];
  for (let at = token?.prev; at?.kind === TokenKind.COMMENT; at = at.prev)
    list.push({ Value: `#${at.value}` });
  return list.reverse();
}

const group = (list: readonly PlainObject[]): Comments => (list.length === 0 ? undefined : { List: list });

export const commentsBefore = (node: ASTNode): Comments => group(listBefore(node.loc?.startToken));

/** The first token that is no comment after a description, or the one a node without begins with. */
function keywordOf(node: ASTNode & Described): Token | null | undefined {
  return node.description ? tokenAfter(node.description.loc?.endToken) : node.loc?.startToken;
}

function tokenAfter(token: Token | null | undefined): Token | null | undefined {
  let next = token?.next;
  while (next?.kind === TokenKind.COMMENT) next = next.next;
  return next;
}

/** Where gqlparser says a node without a name is. */
export function placeAfterKeyword(node: ASTNode & Described): { readonly startToken: Token } | undefined {
  const startToken = tokenAfter(keywordOf(node));
  return startToken ? { startToken } : undefined;
}

/** Those before the description and those after it, as one list. */
export function commentsOfDefinition(node: ASTNode & Described): Comments {
  const start = node.loc?.startToken;
  if (start?.kind === TokenKind.BRACE_L && node.kind === Kind.OPERATION_DEFINITION) return undefined;
  const before = node.description ? listBefore(start) : [];
  return group([...before, ...listBefore(keywordOf(node))]);
}

/** Of fields, arguments and enum values: an empty description is as none to them. */
export function commentsBeforeName(node: ASTNode & Described): Readonly<Record<string, Comments>> {
  return {
    BeforeDescriptionComment: node.description?.value ? commentsBefore(node) : undefined,
    AfterDescriptionComment: group(listBefore(keywordOf(node))),
  };
}

/** Of types and schemas. */
export function commentsBeforeEnd(node: ASTNode & Described): Readonly<Record<string, Comments>> {
  const end = node.loc?.endToken;
  return {
    BeforeDescriptionComment: node.description ? commentsBefore(node) : undefined,
    AfterDescriptionComment: group(listBefore(keywordOf(node))),
    EndOfDefinitionComment: end?.kind === TokenKind.BRACE_R ? group(listBefore(end)) : undefined,
  };
}

/** Those at the end of a schema. */
export const documentComment = (document: DocumentNode): Comments =>
  group(listBefore(document.loc?.endToken));

/**
 * GraphQL text to a syntax tree: graphql-js's parser, held to what gqlparser (v2.5.64, the parser of OPA) accepts and
 * to its words for what it refuses. Beyond graphql-js that is: an empty document, fragments with variables, a `schema`
 * without operations, enum values named `true`, directives on definitions of directives.
 *
 * Left as graphql-js has it, where tokens end: `1a` is none (gqlparser: two), nor is a lone surrogate's escape in a
 * string (gqlparser: U+FFFD), and a string may hold control characters (gqlparser: may not).
 */
import {
  type ConstDirectiveNode,
  type ConstValueNode,
  type DefinitionNode,
  type DirectiveDefinitionNode,
  type DocumentNode,
  GraphQLError,
  Kind,
  Lexer,
  type NameNode,
  type OperationTypeNode,
  type SchemaDefinitionNode,
  Source,
  Token,
  TokenKind,
  type ValueNode,
} from "graphql";
import { Parser } from "graphql/language/parser.js";
import { countWork } from "../work-meter.ts";
import { maxDocumentLength, maxNameLength, maxNesting } from "./graphql-limits.ts";

export type DocumentKind = "query" | "schema";

/** With what gqlparser has from drafts of the specification: directives may have some, and be extended by some. */
export interface DirectiveDefinition extends DirectiveDefinitionNode {
  readonly directives: readonly ConstDirectiveNode[];
  /** Whether this is `extend directive`, which has a name and directives only. */
  readonly isExtension: boolean;
}

/** Definitions of directives made by this parser, or by `graphql-values.ts`, are all of this kind. */
export const directivesOf = (node: DirectiveDefinitionNode): readonly ConstDirectiveNode[] =>
  "directives" in node ? (node as DirectiveDefinition).directives : [];

export const isDirectiveExtension = (node: DirectiveDefinitionNode): boolean =>
  "isExtension" in node && node.isExtension === true;

/** A document gqlparser would not accept. The location is that of the token it stumbles over. */
export class GraphqlSyntaxError extends Error {
  readonly row: number;
  readonly column: number;
  constructor(message: string, row: number, column: number) {
    super(message);
    this.name = "GraphqlSyntaxError";
    this.row = row;
    this.column = column;
  }
}

/** A document beyond the limits of `graphql-limits.ts`. */
export class GraphqlLimitError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "GraphqlLimitError";
  }
}

/** What gqlparser calls a stretch of text that is no token. */
const invalid = "<Invalid>";

/** Hands on what is no token as one of a kind nothing expects, so that the parser says where it stood. */
class BoundedLexer extends Lexer {
  readonly #kind: DocumentKind;
  readonly #maxTokens: number;
  #tokens = 0;
  #open = 0;

  constructor(text: string, kind: DocumentKind, maxTokens: number) {
    super(new Source(text));
    this.#kind = kind;
    this.#maxTokens = maxTokens;
  }

  get tokens(): number {
    return this.#tokens;
  }

  override lookahead(): Token {
    try {
      return super.lookahead();
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error;
      const at = error.positions?.[0] ?? this.token.end;
      const [place] = error.locations ?? [];
      // Kinds are strings; one that is none of graphql-js's own is never expected.
      return new Token(invalid as TokenKind, at, at, place?.line ?? this.line, place?.column ?? 1);
    }
  }

  override advance(): Token {
    const token = super.advance();
    countWork(4);
    if (token.kind !== TokenKind.EOF && ++this.#tokens > this.#maxTokens)
      throw new GraphqlLimitError(`a GraphQL ${this.#kind} may have at most ${this.#maxTokens} tokens`);
    if (token.kind === TokenKind.BRACE_L || token.kind === TokenKind.BRACKET_L) this.#open++;
    else if (token.kind === TokenKind.BRACE_R || token.kind === TokenKind.BRACKET_R) this.#open--;
    if (this.#open > maxNesting)
      throw new GraphqlLimitError(`a GraphQL document may nest at most ${maxNesting} levels deep`);
    if (token.kind === TokenKind.NAME && token.end - token.start > maxNameLength)
      throw new GraphqlLimitError(`a GraphQL name may have at most ${maxNameLength} characters`);
    return token;
  }
}

const executable = new Set(["query", "mutation", "subscription", "fragment"]);
const typeSystem = new Set(["scalar", "type", "interface", "union", "enum", "input", "schema", "directive"]);

/** How many characters of a string's quotes gqlparser counts into its column. */
const quotes: ReadonlyMap<TokenKind, number> = new Map([
  [TokenKind.STRING, 1],
  [TokenKind.BLOCK_STRING, 3],
]);

const named: ReadonlySet<TokenKind> = new Set([
  TokenKind.NAME,
  TokenKind.INT,
  TokenKind.FLOAT,
  TokenKind.STRING,
  TokenKind.BLOCK_STRING,
]);

const describe = (token: Token): string =>
  named.has(token.kind) && token.value !== "" ? `${token.kind} ${JSON.stringify(token.value)}` : token.kind;

class GqlParser extends Parser {
  readonly #kind: DocumentKind;
  readonly #text: string;

  constructor(text: string, kind: DocumentKind, lexer: BoundedLexer) {
    super(text, { lexer, allowLegacyFragmentVariables: true });
    this.#kind = kind;
    this.#text = text;
  }

  override parseDocument(): DocumentNode {
    const start = this._lexer.token;
    this.expectToken(TokenKind.SOF);
    const definitions: DefinitionNode[] = [];
    while (!this.expectOptionalToken(TokenKind.EOF)) definitions.push(this.parseDefinition());
    return this.node<DocumentNode>(start, { kind: Kind.DOCUMENT, definitions });
  }

  override parseDefinition(): DefinitionNode {
    const described = this.peekDescription();
    const first = this._lexer.token;
    const token = described ? this._lexer.lookahead() : first;
    const keyword = token.kind === TokenKind.NAME ? token.value : "";
    if (this.#kind === "query") {
      if (token.kind === TokenKind.BRACE_L && described) throw this.unexpected(first);
      if (token.kind !== TokenKind.BRACE_L && !executable.has(keyword)) throw this.unexpected(token);
    } else if (keyword === "extend") {
      if (described) throw this.unexpected(first);
      if (this._lexer.lookahead().value === "directive") return this.#parseDirectiveExtension();
    } else if (!typeSystem.has(keyword)) throw this.unexpected(token);
    return super.parseDefinition();
  }

  override parseSchemaDefinition(): SchemaDefinitionNode {
    const start = this._lexer.token;
    const description = this.parseDescription();
    this.expectKeyword("schema");
    return this.node<SchemaDefinitionNode>(start, {
      kind: Kind.SCHEMA_DEFINITION,
      ...(description === undefined ? {} : { description }),
      directives: this.parseConstDirectives(),
      operationTypes: this.optionalMany(
        TokenKind.BRACE_L,
        this.parseOperationTypeDefinition,
        TokenKind.BRACE_R,
      ),
    });
  }

  override parseDirectiveDefinition(): DirectiveDefinition {
    const start = this._lexer.token;
    const description = this.parseDescription();
    this.expectKeyword("directive");
    this.expectToken(TokenKind.AT);
    const name = this.parseName();
    const parameters = this.parseArgumentDefs();
    const directives = this.parseConstDirectives();
    const repeatable = this.expectOptionalKeyword("repeatable");
    this.expectKeyword("on");
    return this.node<DirectiveDefinition>(start, {
      kind: Kind.DIRECTIVE_DEFINITION,
      ...(description === undefined ? {} : { description }),
      name,
      arguments: parameters,
      directives,
      repeatable,
      locations: this.parseDirectiveLocations(),
      isExtension: false,
    });
  }

  #parseDirectiveExtension(): DirectiveDefinition {
    const start = this._lexer.token;
    this.expectKeyword("extend");
    this.expectKeyword("directive");
    this.expectToken(TokenKind.AT);
    const name = this.parseName();
    const directives = this.parseConstDirectives();
    if (directives.length === 0) throw this.unexpected();
    return this.node<DirectiveDefinition>(start, {
      kind: Kind.DIRECTIVE_DEFINITION,
      name,
      directives,
      repeatable: false,
      locations: [],
      isExtension: true,
    });
  }

  override parseDirectiveLocation(): NameNode {
    return this._lexer.token.value === "DIRECTIVE_DEFINITION"
      ? this.parseName()
      : super.parseDirectiveLocation();
  }

  override parseOperationType(): OperationTypeNode {
    if (!this.peek(TokenKind.NAME)) throw this.unexpected();
    return super.parseOperationType();
  }

  /** Names which are no values of an enum are left to the check of the schema. */
  override parseEnumValueName(): NameNode {
    return this.parseName();
  }

  override parseValueLiteral(isConst: true): ConstValueNode;
  override parseValueLiteral(isConst: boolean): ValueNode;
  override parseValueLiteral(isConst: boolean): ValueNode {
    if (isConst && this.peek(TokenKind.DOLLAR)) throw this.unexpected();
    return super.parseValueLiteral(isConst);
  }

  override many<T>(open: TokenKind, parse: () => T, close: TokenKind): T[] {
    this.expectToken(open);
    return this.#rest(parse, close);
  }

  override optionalMany<T>(open: TokenKind, parse: () => T, close: TokenKind): T[] {
    return this.expectOptionalToken(open) ? this.#rest(parse, close) : [];
  }

  #rest<T>(parse: () => T, close: TokenKind): T[] {
    if (this.peek(close))
      throw this.#error(`expected at least one definition, found ${close}`, this._lexer.token);
    const items: T[] = [];
    do items.push(parse.call(this));
    while (!this.expectOptionalToken(close));
    return items;
  }

  override expectToken(kind: TokenKind): Token {
    const { token } = this._lexer;
    if (token.kind !== kind) throw this.#error(`Expected ${kind}, found ${token.kind}`, token);
    this.advanceLexer();
    return token;
  }

  override expectKeyword(value: string): void {
    const { token } = this._lexer;
    if (token.kind !== TokenKind.NAME || token.value !== value)
      throw this.#error(`Expected ${JSON.stringify(value)}, found ${describe(token)}`, token);
    this.advanceLexer();
  }

  /** graphql-js throws what this makes wherever it meets a token it has no use for. */
  override unexpected(token: Token | null = null): GraphQLError {
    const at = token ?? this._lexer.token;
    throw this.#error(`Unexpected ${describe(at)}`, at);
  }

  #error(message: string, token: Token): GraphqlSyntaxError {
    const lineStart = token.start - token.column + 1;
    const before = Array.from(this.#text.slice(Math.max(0, lineStart), token.start)).length;
    return new GraphqlSyntaxError(message, token.line, before + 1 + (quotes.get(token.kind) ?? 0));
  }
}

export interface ParsedDocument {
  readonly document: DocumentNode;
  /** What the document costs to work on. */
  readonly tokens: number;
}

/** @throws GraphqlSyntaxError, GraphqlLimitError */
export function parseDocument(text: string, kind: DocumentKind, maxTokens: number): ParsedDocument {
  if (text.length > maxDocumentLength)
    throw new GraphqlLimitError(`a GraphQL document may have at most ${maxDocumentLength} characters`);
  const lexer = new BoundedLexer(text, kind, maxTokens);
  const document = new GqlParser(text, kind, lexer).parseDocument();
  return { document, tokens: lexer.tokens };
}

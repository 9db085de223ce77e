/**
 * Go's text/template: from text to a tree. All of the language but user-defined functions, methods and complex
 * numbers: pipelines, variables, if, with, range with break and continue, define, block, template.
 */

import type { RegoValue } from "../../values.ts";
import { LimitError } from "../contract.ts";
import { isSpace, TemplateError, type Token, tokenize } from "./template-tokens.ts";

export type Operand =
  | { readonly kind: "literal"; readonly value: RegoValue }
  | { readonly kind: "dot" }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "function"; readonly name: string }
  | { readonly kind: "pipeline"; readonly pipeline: Pipeline };

/** An operand and the fields read from it. */
export interface Term {
  readonly operand: Operand;
  readonly fields: readonly string[];
}

export type Command = readonly Term[];

export interface Pipeline {
  readonly variables: readonly string[];
  /** `:=`, where `=` assigns. */
  readonly declares: boolean;
  readonly commands: readonly Command[];
}

export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly pipeline: Pipeline }
  | {
      readonly kind: "if" | "with" | "range";
      readonly pipeline: Pipeline;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    }
  | { readonly kind: "break" | "continue" }
  | { readonly kind: "template"; readonly name: string; readonly pipeline: Pipeline | undefined };

export interface Template {
  readonly nodes: readonly Node[];
  readonly named: ReadonlyMap<string, readonly Node[]>;
}

/** Blocks and parentheses within one another; the parser recurses. */
const maxNesting = 100;

/** Text, and actions between `{{` and `}}`; `{{-` and `-}}` trim the text beside them. */
type Piece = { readonly text: string } | { readonly action: string };

function pieces(source: string): readonly Piece[] {
  const result: Piece[] = [];
  let at = 0;
  let trimNext = false;
  while (at <= source.length) {
    const open = source.indexOf("{{", at);
    let text = source.slice(at, open < 0 ? source.length : open);
    text = trimNext ? text.trimStart() : text;
    if (open < 0) {
      result.push({ text });
      break;
    }
    const trimsBefore = source[open + 2] === "-" && isSpace(source[open + 3]);
    result.push({ text: trimsBefore ? text.trimEnd() : text });
    const start = open + (trimsBefore ? 3 : 2);
    const close = closeOf(source, start);
    trimNext = source[close - 1] === "-" && isSpace(source[close - 2]);
    const inner = source.slice(start, trimNext ? close - 1 : close).trim();
    if (!inner.startsWith("/*")) {
      result.push({ action: inner });
    }
    at = close + 2;
  }
  return result;
}

/** The offset of the `}}` that ends an action, past quoted strings and comments. */
function closeOf(source: string, start: number): number {
  let at = start;
  while (isSpace(source[at])) {
    at += 1;
  }
  if (source.startsWith("/*", at)) {
    const end = source.indexOf("*/", at);
    at = end < 0 ? source.length : end + 2;
  }
  while (at < source.length && !source.startsWith("}}", at)) {
    const quote = source[at];
    if (quote !== '"' && quote !== "`" && quote !== "'") {
      at += 1;
      continue;
    }
    at += 1;
    while (at < source.length && source[at] !== quote) {
      at += quote !== "`" && source[at] === "\\" ? 2 : 1;
    }
    at += 1;
  }
  if (at >= source.length) {
    throw new TemplateError("unclosed action");
  }
  return at;
}

class ActionParser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(source: string) {
    this.#tokens = tokenize(source);
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#at];
  }

  #isSymbol(text: string, offset = 0): boolean {
    const token = this.#tokens[this.#at + offset];
    return token?.kind === "symbol" && token.text === text;
  }

  get isDone(): boolean {
    return this.#at >= this.#tokens.length;
  }

  /** A keyword at the front, taken if it is there. */
  keyword(word: string): boolean {
    const token = this.#peek();
    if (token?.kind === "word" && token.text === word) {
      this.#at += 1;
      return true;
    }
    return false;
  }

  text(): string {
    const token = this.#peek();
    if (token?.kind !== "literal" || typeof token.value !== "string") {
      throw new TemplateError("a template's name must be a string");
    }
    this.#at += 1;
    return token.value;
  }

  finish(): void {
    if (!this.isDone) {
      throw new TemplateError("unexpected text at the end of an action");
    }
  }

  pipeline(depth = 0): Pipeline {
    if (depth > maxNesting) {
      throw new LimitError(`template parentheses nested more than ${maxNesting} deep`);
    }
    const { variables, declares } = this.#declaration();
    const commands: Command[] = [this.#command(depth)];
    while (this.#isSymbol("|")) {
      this.#at += 1;
      commands.push(this.#command(depth));
    }
    return { variables, declares, commands };
  }

  #declaration(): { readonly variables: readonly string[]; readonly declares: boolean } {
    const first = this.#peek();
    if (first?.kind !== "variable") {
      return { variables: [], declares: false };
    }
    const variables = [first.text];
    let length = 1;
    const second = this.#tokens[this.#at + 2];
    if (this.#isSymbol(",", 1) && second?.kind === "variable") {
      variables.push(second.text);
      length = 3;
    }
    const declares = this.#isSymbol(":=", length);
    if (!declares && !this.#isSymbol("=", length)) {
      return { variables: [], declares: false };
    }
    this.#at += length + 1;
    return { variables, declares };
  }

  #command(depth: number): Command {
    const terms: Term[] = [];
    while (!this.isDone && !this.#isSymbol("|") && !this.#isSymbol(")")) {
      terms.push(this.#term(depth));
    }
    if (terms.length === 0) {
      throw new TemplateError("missing value for command");
    }
    return terms;
  }

  #term(depth: number): Term {
    const fields: string[] = [];
    const operand = this.#operand(depth, fields);
    for (let token = this.#peek(); token?.kind === "field" && !token.spaced; token = this.#peek()) {
      fields.push(token.text);
      this.#at += 1;
    }
    return { operand, fields };
  }

  /** A field that stands alone is one of dot's. */
  #operand(depth: number, fields: string[]): Operand {
    const token = this.#peek();
    if (token === undefined) {
      throw new TemplateError("missing value for command");
    }
    this.#at += 1;
    switch (token.kind) {
      case "field":
        fields.push(token.text);
        return { kind: "dot" };
      case "literal":
        return { kind: "literal", value: token.value };
      case "variable":
        return { kind: "variable", name: token.text };
      case "word":
        return { kind: "function", name: token.text };
      default:
        return this.#symbol(token.text, depth);
    }
  }

  #symbol(text: string, depth: number): Operand {
    if (text === ".") {
      return { kind: "dot" };
    }
    if (text !== "(") {
      throw new TemplateError(`unexpected ${JSON.stringify(text)} in operand`);
    }
    const pipeline = this.pipeline(depth + 1);
    if (!this.#isSymbol(")")) {
      throw new TemplateError("unclosed left paren");
    }
    this.#at += 1;
    return { kind: "pipeline", pipeline };
  }
}

interface Ending {
  /** How the list ended: at the end of the text, `{{end}}`, or `{{else …}}` with what follows the word. */
  readonly kind: "eof" | "end" | "else";
  readonly rest: ActionParser | undefined;
}

class TemplateParser {
  readonly #pieces: readonly Piece[];
  readonly #named = new Map<string, readonly Node[]>();
  #at = 0;
  #ranges = 0;

  constructor(source: string) {
    this.#pieces = pieces(source);
  }

  parse(): Template {
    const { nodes, ending } = this.#list(0);
    if (ending.kind !== "eof") {
      throw new TemplateError(`unexpected {{${ending.kind}}}`);
    }
    return { nodes, named: this.#named };
  }

  #list(depth: number): { readonly nodes: readonly Node[]; readonly ending: Ending } {
    if (depth > maxNesting) {
      throw new LimitError(`template blocks nested more than ${maxNesting} deep`);
    }
    const nodes: Node[] = [];
    while (this.#at < this.#pieces.length) {
      const piece = this.#pieces[this.#at];
      this.#at += 1;
      if (piece === undefined) {
        break;
      }
      if ("text" in piece) {
        if (piece.text !== "") {
          nodes.push({ kind: "text", text: piece.text });
        }
        continue;
      }
      const action = new ActionParser(piece.action);
      if (action.keyword("end")) {
        return { nodes, ending: { kind: "end", rest: undefined } };
      }
      if (action.keyword("else")) {
        return { nodes, ending: { kind: "else", rest: action } };
      }
      const node = this.#action(action, depth);
      if (node !== undefined) {
        nodes.push(node);
      }
    }
    return { nodes, ending: { kind: "eof", rest: undefined } };
  }

  #action(action: ActionParser, depth: number): Node | undefined {
    for (const kind of ["if", "with", "range"] as const) {
      if (action.keyword(kind)) {
        return this.#branch(kind, action, depth);
      }
    }
    for (const kind of ["break", "continue"] as const) {
      if (action.keyword(kind)) {
        action.finish();
        if (this.#ranges === 0) {
          throw new TemplateError(`{{${kind}}} outside {{range}}`);
        }
        return { kind };
      }
    }
    if (action.keyword("define")) {
      this.#define(action.text(), depth);
      return undefined;
    }
    if (action.keyword("template") || action.keyword("block")) {
      return this.#invocation(action, depth);
    }
    const pipeline = action.pipeline();
    action.finish();
    return { kind: "action", pipeline };
  }

  #define(name: string, depth: number): void {
    const { nodes, ending } = this.#list(depth + 1);
    if (ending.kind !== "end") {
      throw new TemplateError(`unexpected ${ending.kind} in define clause`);
    }
    this.#named.set(name, nodes);
  }

  #invocation(action: ActionParser, depth: number): Node {
    const piece = this.#pieces[this.#at - 1];
    const isBlock = piece !== undefined && "action" in piece && piece.action.startsWith("block");
    const name = action.text();
    const pipeline = action.isDone ? undefined : action.pipeline();
    action.finish();
    if (isBlock) {
      this.#define(name, depth);
    }
    return { kind: "template", name, pipeline };
  }

  #branch(kind: "if" | "with" | "range", action: ActionParser, depth: number): Node {
    const pipeline = action.pipeline();
    action.finish();
    this.#ranges += kind === "range" ? 1 : 0;
    const { nodes: body, ending } = this.#list(depth + 1);
    this.#ranges -= kind === "range" ? 1 : 0;
    if (ending.kind === "eof") {
      throw new TemplateError("unexpected EOF");
    }
    const otherwise = ending.rest === undefined ? [] : this.#otherwise(kind, ending.rest, depth);
    return { kind, pipeline, body, otherwise };
  }

  /** What follows `{{else}}`; `{{else if x}}` is an if of its own that shares the end. */
  #otherwise(kind: "if" | "with" | "range", action: ActionParser, depth: number): readonly Node[] {
    if (kind !== "range" && action.keyword(kind)) {
      return [this.#branch(kind, action, depth + 1)];
    }
    action.finish();
    const { nodes, ending } = this.#list(depth + 1);
    if (ending.kind !== "end") {
      throw new TemplateError(`unexpected ${ending.kind}`);
    }
    return nodes;
  }
}

/** @throws TemplateError */
export function parseTemplate(source: string): Template {
  return new TemplateParser(source).parse();
}

/**
 * Which stretch of the source an expression was read from. The tree says where each node's own token stands (the
 * operator, the dot, the bracket), as cel-go's does; the rest is told by the tokens around it.
 */
import type { Ast, Expr } from "./ast.ts";
import { childrenOf } from "./children.ts";
import { type Token, tokenize } from "./lexer.ts";

/** Offsets into the source, the last one excluded. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

const CLOSING: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };
const VALUE_WORDS: ReadonlySet<string> = new Set(["true", "false", "null"]);

/** Finds what was written for the nodes of one expression. */
export class WrittenText {
  readonly #source: string;
  readonly #tokens: readonly Token[];
  readonly #indexAt: ReadonlyMap<number, number>;
  /** Of each bracket, by index of its token, the other one. */
  readonly #partner = new Map<number, number>();

  constructor({ source }: Pick<Ast, "source">) {
    this.#source = source;
    this.#tokens = tokenize(source);
    this.#indexAt = new Map(this.#tokens.map(({ at }, index) => [at, index]));
    const open: number[] = [];
    for (const [index, token] of this.#tokens.entries()) {
      if (token.kind !== "symbol") continue;
      if (Object.hasOwn(CLOSING, token.text)) open.push(index);
      else if (token.text === ")" || token.text === "]" || token.text === "}") {
        const begin = open.pop();
        if (begin === undefined) continue;
        this.#partner.set(begin, index).set(index, begin);
      }
    }
  }

  /** On one line, without comments. */
  textOf(expr: Expr): string {
    const [first, last] = this.#range(expr);
    let text = "";
    let end: number | undefined;
    for (const token of this.#tokens.slice(first, last + 1)) {
      const gap = end === undefined ? "" : this.#source.slice(end, token.at);
      text += (gap.includes("\n") ? " " : gap) + token.text;
      end = token.at + token.text.length;
    }
    return text;
  }

  spanOf(expr: Expr): Span {
    const [first, last] = this.#range(expr);
    const end = this.#tokens[last];
    const from = this.#tokens[first]?.at ?? 0;
    return { from, to: end === undefined ? from : end.at + end.text.length };
  }

  /** Indices of the first and the last token. */
  #range(expr: Expr): readonly [number, number] {
    const at = this.#indexAt.get(expr.at);
    const token = at === undefined ? undefined : this.#tokens[at];
    if (at === undefined || token === undefined) return [0, this.#tokens.length - 2];
    if (expr.kind === "literal") return [at, token.text === "-" ? at + 1 : at];
    if (token.kind !== "symbol" || VALUE_WORDS.has(token.text))
      return [expr.kind === "ident" && expr.name.startsWith(".") ? at - 1 : at, at];
    switch (token.text) {
      case "(":
      case "[":
      case "{":
        return [this.#endsValue(at - 1) ? this.#beginning(at - 1) : at, this.#partner.get(at) ?? at];
      case ".":
        return [this.#beginning(at - 1), this.#isSymbol(at + 1, "?") ? at + 2 : at + 1];
      default:
        return this.#overChildren(expr, at);
    }
  }

  /** An operator: from where its operands begin to where they end, with the brackets around either. */
  #overChildren(expr: Expr, at: number): readonly [number, number] {
    let [first, last] = [at, at];
    for (const child of childrenOf(expr)) {
      const [begin, end] = this.#range(child);
      first = Math.min(first, begin);
      last = Math.max(last, end);
    }
    for (let index = first; index <= last; index++) {
      const partner = this.#partner.get(index);
      if (partner === undefined) continue;
      if (partner < first) first = partner;
      if (partner > last) last = partner;
    }
    return [first, last];
  }

  /** The token before which nothing belongs to the operand that ends at `last`, as in `a.b[0].c(d)`. */
  #beginning(last: number): number {
    let at = last;
    for (;;) {
      const open = this.#partner.get(at);
      if (open !== undefined && open < at) {
        at = open;
        if (!this.#endsValue(at - 1)) return at;
        at--;
        continue;
      }
      const dot = this.#isSymbol(at - 1, "?") ? at - 2 : at - 1;
      if (!this.#isSymbol(dot, ".")) return at;
      if (!this.#endsValue(dot - 1)) return dot;
      at = dot - 1;
    }
  }

  /** Whether something that has a value ends with the token, so that a bracket or dot after it goes on from it. */
  #endsValue(index: number): boolean {
    const token = this.#tokens[index];
    if (token === undefined) return false;
    if (token.kind !== "symbol") return token.kind !== "end" && token.kind !== "faulty";
    return VALUE_WORDS.has(token.text) || token.text === ")" || token.text === "]" || token.text === "}";
  }

  #isSymbol(index: number, text: string): boolean {
    const token = this.#tokens[index];
    return token?.kind === "symbol" && token.text === text;
  }
}

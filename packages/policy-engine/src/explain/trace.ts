/** What the parts of one expression came to in its last evaluation, for people. */
import type { Expr } from "../cel/ast.ts";
import { childrenOf } from "../cel/children.ts";
import { type CelError, type CelValue, formatValue, type Observer, WrittenText } from "../cel/index.ts";

/** One part of an expression, as it is written, and what it came to. */
export interface ExplainedPart {
  readonly expression: string;
  /** In order of time; more than one in a loop. The last is always there, of those between some may be left out. */
  readonly values: readonly string[];
  /** How often it was evaluated. */
  readonly times: number;
  /** How deep it stands among the parts shown; the whole is 0. */
  readonly depth: number;
}

export type ExplainedResult =
  | { readonly kind: "value"; readonly value: string }
  | { readonly kind: "error"; readonly message: string }
  /** Nobody asked for it, or it was left out because others had decided. */
  | { readonly kind: "notEvaluated" };

const mostParts = 40;
const mostValues = 6;
const longestValue = 100;
const longestExpression = 200;

interface Seen {
  times: number;
  readonly first: (CelValue | Error)[];
  last: CelValue | Error;
}

export class ExpressionTrace implements Observer {
  readonly #root: Expr;
  readonly #source: string;
  readonly #seen = new Map<Expr, Seen>();

  constructor({ source, expr }: { readonly source: string; readonly expr: Expr }) {
    this.#source = source;
    this.#root = expr;
  }

  begin(): void {
    this.#seen.clear();
  }

  saw(expr: Expr, value: CelValue | CelError): void {
    const seen = this.#seen.get(expr);
    if (seen === undefined) {
      this.#seen.set(expr, { times: 1, first: [value], last: value });
      return;
    }
    seen.times++;
    seen.last = value;
    if (seen.first.length < mostValues) seen.first.push(value);
  }

  get result(): ExplainedResult {
    const seen = this.#seen.get(this.#root);
    if (seen === undefined) return { kind: "notEvaluated" };
    if (seen.last instanceof Error) return { kind: "error", message: seen.last.message };
    return { kind: "value", value: shownValue(seen.last) };
  }

  /** The outer before the inner, without the whole itself and what is the same whatever is asked. */
  parts(): ExplainedPart[] {
    const written = new WrittenText({ source: this.#source });
    const parts: ExplainedPart[] = [];
    const shown = new Set<string>();
    const visit = (expr: Expr, depth: number): void => {
      if (parts.length >= mostParts) return;
      const seen = this.#seen.get(expr);
      const { from, to } = written.spanOf(expr);
      const key = `${from}-${to}`;
      const isShown = seen !== undefined && expr !== this.#root && !shown.has(key) && dependsOnQuestion(expr);
      // What a macro was turned into stands where the macro does: the outermost tells what came of it.
      if (seen !== undefined) shown.add(key);
      if (isShown) {
        const expression = shortened(written.textOf(expr), longestExpression);
        parts.push({ expression, values: valuesOf(seen), times: seen.times, depth });
      }
      for (const child of childrenOf(expr)) visit(child, isShown ? depth + 1 : depth);
    };
    visit(this.#root, 1);
    return parts;
  }
}

function dependsOnQuestion(expr: Expr): boolean {
  return expr.kind === "ident" || childrenOf(expr).some(dependsOnQuestion);
}

function valuesOf({ times, first, last }: Seen): string[] {
  const shown = first.map(shownValue);
  return times > first.length ? [...shown.slice(0, -1), shownValue(last)] : shown;
}

/** Strings in quotes, whatever else as messages show it; errors say so. */
export function shownValue(value: CelValue | Error): string {
  if (value instanceof Error) return shortened(`error: ${value.message}`, longestValue);
  if (typeof value === "string") return JSON.stringify(shortened(value, longestValue));
  return shortened(formatValue(value), longestValue);
}

function shortened(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length).toWellFormed()}…`;
}

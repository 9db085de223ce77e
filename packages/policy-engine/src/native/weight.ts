/**
 * How much of a binding's cost budget an expression may use up. The API server counts at run time only (apiserver
 * pkg/apis/cel/config.go): 1,000,000 for one expression and 10,000,000 for a binding, after which it judges by
 * failurePolicy alone. What shares a binding has to fit into it together.
 */
import { type CallExpr, type ComprehensionExpr, type Expr, OPERATOR } from "../cel/ast.ts";
import { childrenOf } from "../cel/children.ts";

/** Of the 10,000,000, with something left for what is not counted exactly. */
export const GROUP_BUDGET = 9_000_000;

/**
 * With `Ignore`, whoever exhausts the budget gets past every rule that shares it, so that each counts with all that the
 * largest request (3 MiB) can make it spend. With `Fail` he is refused, and it is enough that no object can
 * that the API server would store: 1.5 MiB, with 15,000 items of a hundred bytes.
 */
interface Prices {
  /** One loop over items, the rest being cheap. */
  readonly loop: number;
  /** A loop over all items within another, or a call in a loop. */
  readonly manifold: number;
  /** One look through a long text. */
  readonly scan: number;
  /** Two texts or lists joined, or compared. */
  readonly join: number;
  /** Any other function. undefined: no bound is known. */
  readonly call: number | undefined;
}

const PRICES: Readonly<Record<"Fail" | "Ignore", Prices>> = {
  Fail: { loop: 300_000, manifold: 1_000_000, scan: 450_000, join: 50_000, call: 2_000_000 },
  Ignore: { loop: 1_000_000, manifold: 2_000_000, scan: 1_000_000, join: 350_000, call: undefined },
};

const PARTS = ["nodes", "loops", "manifold", "scans", "joins", "calls"] as const;
/** What is in an expression, by what it may cost. */
type Content = Record<(typeof PARTS)[number], number>;

function nothing(): Content {
  return { nodes: 0, loops: 0, manifold: 0, scans: 0, joins: 0, calls: 0 };
}

/** @returns the most the expression costs; undefined where no bound is known */
export function weightOf(expr: Expr, failurePolicy: "Fail" | "Ignore"): number | undefined {
  const prices = PRICES[failurePolicy];
  const content = nothing();
  take(expr, new Set(), false, content);
  if (content.calls > 0) return prices.call;
  const { nodes, loops, manifold, scans, joins } = content;
  if (manifold > 0) return prices.manifold;
  // The limit of one expression ends it, be it by a step late.
  return Math.min(
    prices.manifold,
    nodes * 5 + loops * prices.loop + scans * prices.scan + joins * prices.join,
  );
}

const CHEAP: ReadonlySet<string> = new Set([
  OPERATOR.and,
  OPERATOR.or,
  OPERATOR.not,
  OPERATOR.conditional,
  OPERATOR.negate,
  OPERATOR.index,
  OPERATOR.optionalIndex,
  OPERATOR.optionalSelect,
  OPERATOR.notStrictlyFalse,
  OPERATOR.subtract,
  OPERATOR.multiply,
  OPERATOR.divide,
  OPERATOR.modulo,
  "size",
  "startsWith",
  "endsWith",
  "hasValue",
  "orValue",
  "or",
]);

const COMPARING: ReadonlySet<string> = new Set([
  OPERATOR.equals,
  OPERATOR.notEquals,
  OPERATOR.less,
  OPERATOR.lessEquals,
  OPERATOR.greater,
  OPERATOR.greaterEquals,
  OPERATOR.in,
]);

function take(expr: Expr, loopVariables: ReadonlySet<string>, isInLoop: boolean, content: Content): void {
  content.nodes += 1 + literalSize(expr);
  if (expr.kind === "comprehension") {
    takeLoop(expr, loopVariables, isInLoop, content);
    return;
  }
  if (expr.kind === "call") takeCall(expr, isInLoop, content);
  if (expr.kind === "struct") content.calls++;
  for (const child of childrenOf(expr)) take(child, loopVariables, isInLoop, content);
}

function takeCall(call: CallExpr, isInLoop: boolean, content: Content): void {
  const { name, args } = call;
  if (CHEAP.has(name)) return;
  const [first, second] = args;
  if (COMPARING.has(name)) {
    if (!isSmall(first) && !isSmall(second)) content.joins++;
  } else if (name === OPERATOR.add) content.joins++;
  else if (isShortSearch(call)) content.scans++;
  else content.calls++;
  if (isInLoop && content.scans > 0) content.manifold++;
}

/** A loop over what a loop around it goes through sees each item once; any other within a loop sees all of them again. */
function takeLoop(
  loop: ComprehensionExpr,
  loopVariables: ReadonlySet<string>,
  isInLoop: boolean,
  content: Content,
): void {
  take(loop.range, loopVariables, isInLoop, content);
  const inner = new Set(loopVariables);
  for (const name of [loop.iterVar, loop.iterVar2, loop.accuVar]) if (name !== undefined) inner.add(name);
  const { range } = loop;
  const isShort = range.kind === "list" && range.elements.length <= 10;
  if (isShort) {
    const round = nothing();
    takeBody(loop, inner, isInLoop, round);
    for (const key of PARTS) content[key] += round[key] * range.elements.length;
    return;
  }
  if (isInLoop && !isRootedIn(range, loopVariables)) content.manifold++;
  else content.loops++;
  takeBody(loop, inner, true, content);
}

function takeBody(
  { init, condition, step, result }: ComprehensionExpr,
  variables: ReadonlySet<string>,
  isInLoop: boolean,
  content: Content,
): void {
  for (const part of [init, condition, step, result]) take(part, variables, isInLoop, content);
}

function isRootedIn(expr: Expr, variables: ReadonlySet<string>): boolean {
  let root = expr;
  while (root.kind === "select") root = root.operand;
  return root.kind === "ident" && variables.has(root.name);
}

function isSmall(expr: Expr | undefined): boolean {
  if (expr === undefined) return true;
  if (expr.kind === "literal") return true;
  if (expr.kind === "list") return expr.elements.every(({ value }) => isSmall(value));
  if (expr.kind === "map") return expr.entries.length === 0;
  return expr.kind === "call" && expr.name === "size";
}

/** `contains` and `matches` cost a tenth of the text for each ten letters, or four of the pattern (cel-go interpreter/runtimecost.go). */
function isShortSearch({ name, args }: CallExpr): boolean {
  const [argument] = args;
  const sought = argument?.kind === "literal" ? argument.value : undefined;
  if (typeof sought !== "string" || args.length !== 1) return false;
  return (name === "contains" && sought.length <= 30) || (name === "matches" && sought.length <= 12);
}

function literalSize(expr: Expr): number {
  return expr.kind === "literal" && typeof expr.value === "string" ? Math.ceil(expr.value.length / 10) : 0;
}

/**
 * Checks `'...'.format([...])` before it is ever evaluated: clauses that are none, too few or too many arguments, and
 * arguments of a type their clause cannot print (cel-go ext/formatting.go, stringFormatValidator).
 */
import type { Expr } from "../ast.ts";
import type { CheckedAst } from "../checked.ts";
import type { CelType, TypeKind } from "../types.ts";

type Report = (at: Expr, message: string) => void;

/** What a clause can print, and what is said of anything else. */
interface Clause {
  readonly kinds: ReadonlySet<TypeKind>;
  readonly complaint: string;
}

function clause(complaint: string, ...kinds: readonly TypeKind[]): Clause {
  return { kinds: new Set(kinds), complaint };
}

const stringClause = clause(
  "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps",
  ...(["list", "map", "int", "uint", "double", "bool", "string"] as const),
  ...(["timestamp", "bytes", "duration", "type", "null"] as const),
);
const hexClause = clause(
  "only integers, byte buffers, and strings can be formatted as hex",
  "int",
  "uint",
  "string",
  "bytes",
);
const clauses: ReadonlyMap<string, Clause> = new Map([
  ["s", stringClause],
  ["d", clause("decimal clause can only be used on integers", "int", "uint")],
  ["f", clause("fixed-point clause can only be used on doubles", "double", "string")],
  ["e", clause("scientific clause can only be used on doubles", "double", "string")],
  ["b", clause("only integers and bools can be formatted as binary", "int", "uint", "bool")],
  ["x", hexClause],
  ["X", hexClause],
  ["o", clause("octal clause can only be used on integers", "int", "uint")],
]);

/** Reports what is wrong with this expression, if it is a format call with both parts written out. */
export function formatIssues(expr: Expr, ast: CheckedAst, report: Report): void {
  if (expr.kind !== "call" || expr.name !== "format" || expr.target?.kind !== "literal") return;
  const [list] = expr.args;
  const text = expr.target.value;
  if (typeof text !== "string" || expr.args.length !== 1 || list?.kind !== "list") return;
  const args = list.elements.map(({ value }) => value);
  const check = new FormatCheck(text, args, ast);
  const wrong = check.run();
  if (wrong !== undefined) report(wrong.at ?? expr, wrong.message);
  else if (args.length > check.argsRequested)
    report(
      expr,
      `too many arguments supplied to string.format (expected ${check.argsRequested}, got ${args.length})`,
    );
}

interface Wrong {
  readonly message: string;
  /** The argument it is about. */
  readonly at?: Expr;
}

class FormatCheck {
  /** The format's UTF-8 as one character a byte: upstream reads bytes. */
  readonly #bytes: string;
  readonly #args: readonly Expr[];
  readonly #ast: CheckedAst;
  argsRequested = 0;

  constructor(text: string, args: readonly Expr[], ast: CheckedAst) {
    this.#bytes = Buffer.from(text).toString("latin1");
    this.#args = args;
    this.#ast = ast;
  }

  run(): Wrong | undefined {
    for (let at = 0; at < this.#bytes.length; ) {
      if (this.#bytes[at] !== "%") at++;
      else if (this.#bytes[at + 1] === "%") at += 2;
      else {
        const read = this.#clause(at + 1);
        if (typeof read !== "number") return read;
        at = read;
      }
    }
    return undefined;
  }

  /** Checks the clause whose text starts here; where it ends, or what is wrong. */
  #clause(start: number): number | Wrong {
    const index = this.argsRequested++;
    if (start >= this.#bytes.length) return { message: "unexpected end of string" };
    const arg = this.#args[index];
    if (arg === undefined) return { message: `index ${index} out of range` };
    const at = this.#skipPrecision(start);
    if (typeof at !== "number") return at;
    const letter = this.#bytes[at] ?? "";
    const wanted = clauses.get(letter);
    if (wanted === undefined)
      return { message: `could not parse formatting clause: unrecognized formatting clause "${letter}"` };
    const bad = wanted === stringClause ? this.#unprintable(arg) : this.#fits(arg, wanted) ? undefined : arg;
    if (bad === undefined) return at + 1;
    const given = this.#ast.types.get(bad)?.name ?? "dyn";
    return { message: `error during formatting: ${wanted.complaint}, was given ${given}`, at: bad };
  }

  #skipPrecision(start: number): number | Wrong {
    if (this.#bytes[start] !== ".") return start;
    let end = start + 1;
    while (/^[0-9]$/.test(this.#bytes[end] ?? "")) end++;
    const parsing = "could not parse formatting clause: error while parsing precision";
    if (end >= this.#bytes.length)
      return { message: `${parsing}: could not find end of precision specifier` };
    const digits = this.#bytes.slice(start + 1, end);
    const reason = digits === "" ? "invalid syntax" : isGoInt(digits) ? undefined : "value out of range";
    if (reason === undefined) return end;
    const converting = "error while converting precision to integer";
    return { message: `${parsing}: ${converting}: strconv.Atoi: parsing "${digits}": ${reason}` };
  }

  /** The part of a list or map written out that `%s` cannot print, or the argument itself. */
  #unprintable(arg: Expr): Expr | undefined {
    if (!this.#fits(arg, stringClause)) return arg;
    const parts =
      arg.kind === "list"
        ? arg.elements.map(({ value }) => value)
        : arg.kind === "map"
          ? arg.entries.flatMap(({ key, value }) => [key, value])
          : [];
    for (const part of parts) {
      const found = this.#unprintable(part);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #fits(arg: Expr, { kinds }: Clause): boolean {
    const type: CelType | undefined = this.#ast.types.get(arg);
    return type === undefined || type.kind === "dyn" || kinds.has(type.kind);
  }
}

function isGoInt(digits: string): boolean {
  return digits.length <= 20 && BigInt(digits) <= 9_223_372_036_854_775_807n;
}

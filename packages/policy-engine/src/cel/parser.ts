import { type Ast, type Expr, type ListElement, type MapEntry, OPERATOR, type StructField } from "./ast.ts";
import { CelCompileError } from "./errors.ts";
import { type Token, tokenize, unrecognized } from "./lexer.ts";
import { locate } from "./location.ts";
import type { CelMacro } from "./macro.ts";
import { MacroExpander } from "./macro-expander.ts";
import { unquoteBytes, unquoteString } from "./unquote.ts";
import { CelUint, type CelValue, INT_MAX, INT_MIN, makeDouble, makeInt, UINT_MAX } from "./values.ts";

export interface ParseOptions {
  readonly macros: readonly CelMacro[];
  /** Accepts `a.?b`, `a[?b]`, `[?x]`, `{?k: v}`. */
  readonly optionalSyntax?: boolean;
  /** Accepts field names in backquotes. */
  readonly identEscapeSyntax?: boolean;
}

/** Longest expression, in code points; the limit of cel-go (parser/parser.go). */
export const MAX_EXPRESSION_LENGTH = 100_000;
/** Deepest nesting; the limit of cel-go (parser/parser.go). */
export const MAX_NESTING = 250;

/** Words of other languages that CEL keeps from being variables (specification, "Syntax"). */
const RESERVED: ReadonlySet<string> = new Set(
  "as break const continue else for function if import let loop package namespace return var void while".split(
    " ",
  ),
);
const RELATIONS: ReadonlyMap<string, string> = new Map([
  ["<", OPERATOR.less],
  ["<=", OPERATOR.lessEquals],
  [">", OPERATOR.greater],
  [">=", OPERATOR.greaterEquals],
  ["==", OPERATOR.equals],
  ["!=", OPERATOR.notEquals],
  ["in", OPERATOR.in],
]);
const SUMS: ReadonlyMap<string, string> = new Map([
  ["+", OPERATOR.add],
  ["-", OPERATOR.subtract],
]);
const PRODUCTS: ReadonlyMap<string, string> = new Map([
  ["*", OPERATOR.multiply],
  ["/", OPERATOR.divide],
  ["%", OPERATOR.modulo],
]);
/** How the generated parser of cel-go lists what may begin an expression. */
const EXPRESSION_START =
  "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";

/** Throws `CelCompileError` at the first mistake. */
export function parse(source: string, options: ParseOptions): Ast {
  const length = source.length > MAX_EXPRESSION_LENGTH ? [...source].length : source.length;
  if (length > MAX_EXPRESSION_LENGTH) {
    const message = `expression code point size exceeds limit: size: ${length}, limit ${MAX_EXPRESSION_LENGTH}`;
    throw new CelCompileError([{ line: -1, column: -1, message }]);
  }
  return { source, expr: new Parser(source, options).parseAll() };
}

/** `name` is the dotted name that the expression spells so far, which `{` may turn into a type's. */
interface Named {
  readonly expr: Expr;
  readonly name: string | undefined;
}

class Parser {
  readonly #source: string;
  readonly #options: ParseOptions;
  readonly #tokens: readonly Token[];
  readonly #macros: MacroExpander;
  /** Nesting below each node that nests; leaves are left out. */
  readonly #heights = new Map<Expr, number>();
  #at = 0;
  #depth = 0;

  constructor(source: string, options: ParseOptions) {
    this.#source = source;
    this.#options = options;
    this.#tokens = tokenize(source);
    this.#macros = new MacroExpander(options.macros, (at, message) => this.#failAt(at, message));
  }

  parseAll(): Expr {
    const expr = this.#expr();
    const rest = this.#peek();
    if (rest.kind !== "end") {
      const isLone = this.#peek(1).kind === "end";
      this.#fail(
        rest,
        `Syntax error: ${isLone ? "extraneous" : "mismatched"} input '${rest.text}' expecting <EOF>`,
      );
    }
    return expr;
  }

  #expr(): Expr {
    if (++this.#depth > MAX_NESTING) this.#failNesting();
    const condition = this.#or();
    const question = this.#peek();
    if (!this.#take("?")) {
      this.#depth--;
      return condition;
    }
    const whenTrue = this.#or();
    this.#expect(":");
    const whenFalse = this.#expr();
    this.#depth--;
    return this.#call(question.at, OPERATOR.conditional, condition, whenTrue, whenFalse);
  }

  #or(): Expr {
    return this.#logic("||", OPERATOR.or, () => this.#and());
  }

  #and(): Expr {
    return this.#logic("&&", OPERATOR.and, () => this.#relation());
  }

  /** Terms of `&&` and `||` form a balanced tree, so that long chains do not nest deeply (cel-go parser/helper.go). */
  #logic(symbol: string, operator: string, term: () => Expr): Expr {
    const terms = [term()];
    const offsets: number[] = [];
    for (let op = this.#peek(); this.#take(symbol); op = this.#peek()) {
      offsets.push(op.at);
      terms.push(term());
    }
    const build = (first: number, last: number): Expr => {
      if (first === last) return terms[first] as Expr;
      const middle = (first + last) >> 1;
      return this.#call(offsets[middle] ?? 0, operator, build(first, middle), build(middle + 1, last));
    };
    return build(0, terms.length - 1);
  }

  #relation(): Expr {
    return this.#leftAssociative(RELATIONS, () =>
      this.#leftAssociative(SUMS, () => this.#leftAssociative(PRODUCTS, () => this.#unary())),
    );
  }

  #leftAssociative(operators: ReadonlyMap<string, string>, operand: () => Expr): Expr {
    let left = operand();
    for (;;) {
      const op = this.#peek();
      const name = op.kind === "symbol" ? operators.get(op.text) : undefined;
      if (name === undefined) return left;
      this.#at++;
      left = this.#call(op.at, name, left, operand());
    }
  }

  #unary(): Expr {
    const first = this.#peek();
    if (first.kind !== "symbol" || (first.text !== "!" && first.text !== "-")) return this.#member();
    if (first.text === "-" && this.#isNumber(this.#peek(1))) return this.#member();
    let count = 0;
    while (this.#take(first.text)) count++;
    const operand = this.#member();
    if (count % 2 === 0) return operand;
    return this.#call(first.at, first.text === "!" ? OPERATOR.not : OPERATOR.negate, operand);
  }

  #member(): Expr {
    let { expr, name } = this.#primary();
    for (;;) {
      const op = this.#peek();
      if (this.#take(".")) {
        ({ expr, name } = this.#dotted(expr, name, op));
      } else if (this.#take("[")) {
        const isOptional = this.#takeOptional("unsupported syntax '[?'", op);
        const index = this.#expr();
        this.#expect("]");
        expr = this.#call(op.at, isOptional ? OPERATOR.optionalIndex : OPERATOR.index, expr, index);
        name = undefined;
      } else if (name !== undefined && this.#take("{")) {
        expr = this.#struct(op.at, name);
        name = undefined;
      } else {
        return expr;
      }
    }
  }

  /** What follows a dot: a field, an optional field or a method. */
  #dotted(operand: Expr, name: string | undefined, op: Token): Named {
    const isOptional = this.#takeOptional("unsupported syntax '.?'", op);
    const next = this.#peek();
    if (!isOptional && next.kind === "ident" && this.#isSymbol(this.#peek(1), "(")) {
      return { expr: this.#memberCall(operand), name: undefined };
    }
    const field = this.#fieldName();
    if (isOptional) {
      const fieldExpr = this.#macros.literalAt(next.at, field);
      return { expr: this.#call(op.at, OPERATOR.optionalSelect, operand, fieldExpr), name: undefined };
    }
    const isPlain = name !== undefined && next.kind === "ident";
    return {
      expr: this.#nested(this.#macros.selectAt(op.at, operand, field)),
      name: isPlain ? `${name}.${field}` : undefined,
    };
  }

  #memberCall(target: Expr): Expr {
    const name = this.#next();
    const open = this.#next();
    const args = this.#arguments();
    return this.#nested(this.#macros.memberCall(open.at, name.text, target, args));
  }

  #primary(): Named {
    const token = this.#peek();
    if (token.kind === "ident" || (this.#isSymbol(token, ".") && this.#peek(1).kind === "ident")) {
      return this.#identOrCall();
    }
    return { expr: this.#literalOrBracket(token), name: undefined };
  }

  #identOrCall(): Named {
    const dot = this.#take(".") ? "." : "";
    const ident = this.#next();
    const name = dot + ident.text;
    const open = this.#peek();
    if (!this.#take("(")) {
      if (RESERVED.has(ident.text) && !this.#isSymbol(open, "{")) {
        this.#failAt(ident.at, `reserved identifier: ${ident.text}`);
      }
      return { expr: this.#macros.identAt(ident.at, name), name };
    }
    if (RESERVED.has(ident.text)) this.#failAt(ident.at, `reserved identifier: ${ident.text}`);
    return { expr: this.#call(open.at, name, ...this.#arguments()), name: undefined };
  }

  #literalOrBracket(token: Token): Expr {
    this.#at++;
    switch (token.kind) {
      case "int":
      case "float":
      case "uint":
      case "string":
      case "bytes":
        return this.#macros.literalAt(token.at, this.#literalValue(token, ""));
      case "symbol":
        return this.#bracketOrKeyword(token);
      default:
        return this.#failExpected(token);
    }
  }

  #bracketOrKeyword(token: Token): Expr {
    switch (token.text) {
      case "(": {
        const expr = this.#expr();
        this.#expect(")");
        return expr;
      }
      case "[":
        return this.#list(token.at);
      case "{":
        return this.#map(token.at);
      case "-": {
        const number = this.#peek();
        if (!this.#isNumber(number)) return this.#failExpected(number);
        this.#at++;
        return this.#macros.literalAt(token.at, this.#literalValue(number, "-"));
      }
      case "true":
      case "false":
        return this.#macros.literalAt(token.at, token.text === "true");
      case "null":
        return this.#macros.literalAt(token.at, null);
      default:
        return this.#failExpected(token);
    }
  }

  #literalValue(token: Token, sign: string): CelValue {
    switch (token.kind) {
      case "int": {
        const value = BigInt(token.text) * (sign === "-" ? -1n : 1n);
        if (value < INT_MIN || value > INT_MAX) this.#failAt(token.at, "invalid int literal");
        return makeInt(value);
      }
      case "uint": {
        const value = BigInt(token.text.slice(0, -1));
        if (value > UINT_MAX) this.#failAt(token.at, "invalid uint literal");
        return new CelUint(value);
      }
      case "float": {
        const value = Number(sign + token.text);
        if (!Number.isFinite(value)) this.#failAt(token.at, "invalid double literal");
        return makeDouble(value);
      }
      default:
        return this.#unquoted(token);
    }
  }

  #unquoted(token: Token): CelValue {
    try {
      return token.kind === "bytes" ? unquoteBytes(token.text) : unquoteString(token.text);
    } catch (error) {
      return this.#failAt(token.at, error instanceof Error ? error.message : String(error));
    }
  }

  #arguments(): Expr[] {
    const args: Expr[] = [];
    if (this.#take(")")) return args;
    do args.push(this.#expr());
    while (this.#take(","));
    this.#expect(")");
    return args;
  }

  #list(at: number): Expr {
    const elements: ListElement[] = [];
    this.#items("]", () => {
      const isOptional = this.#takeOptional("unsupported syntax '?'", this.#peek());
      elements.push({ value: this.#expr(), isOptional });
    });
    return this.#macros.listAt(at, elements);
  }

  #map(at: number): Expr {
    const entries: MapEntry[] = [];
    this.#items("}", () => {
      const isOptional = this.#takeOptional("unsupported syntax '?'", this.#peek());
      const key = this.#expr();
      const colon = this.#expect(":");
      entries.push({ at: colon.at, key, value: this.#expr(), isOptional });
    });
    return this.#macros.mapAt(at, entries);
  }

  #struct(at: number, typeName: string): Expr {
    const fields: StructField[] = [];
    this.#items("}", () => {
      const isOptional = this.#takeOptional("unsupported syntax '?'", this.#peek());
      const name = this.#fieldName();
      const colon = this.#expect(":");
      fields.push({ at: colon.at, name, value: this.#expr(), isOptional });
    });
    return this.#macros.structAt(at, typeName, fields);
  }

  /** Items divided by commas up to `close`; a comma may stand before it. */
  #items(close: string, item: () => void): void {
    while (!this.#take(close)) {
      if (this.#isSymbol(this.#peek(), ",") && this.#isSymbol(this.#peek(1), close)) {
        this.#at++;
        continue;
      }
      item();
      if (!this.#isSymbol(this.#peek(), close)) this.#expect(",");
    }
  }

  #fieldName(): string {
    const token = this.#next();
    if (token.kind === "escaped") {
      if (this.#options.identEscapeSyntax !== true) this.#failAt(token.at, "unsupported syntax: '`'");
      return token.text.slice(1, -1);
    }
    if (token.kind === "ident") return token.text;
    const isKeyword = token.kind === "symbol" && /^[a-z]/.test(token.text);
    const expected = isKeyword ? "IDENTIFIER" : "{IDENTIFIER, ESC_IDENTIFIER}";
    return this.#fail(token, `Syntax error: mismatched input '${token.text}' expecting ${expected}`);
  }

  #takeOptional(message: string, op: Token): boolean {
    if (!this.#take("?")) return false;
    if (this.#options.optionalSyntax !== true) this.#failAt(op.at, message);
    return true;
  }

  #call(at: number, name: string, ...args: readonly Expr[]): Expr {
    return this.#nested(this.#macros.call(at, name, ...args));
  }

  /** Every operator on the way down counts as nesting, as the recursion limit of cel-go has it; `&&` and `||` do not. */
  #nested(expr: Expr): Expr {
    const isLogic = expr.kind === "call" && (expr.name === OPERATOR.and || expr.name === OPERATOR.or);
    let below = 0;
    if (expr.kind === "select") below = this.#heights.get(expr.operand) ?? 0;
    if (expr.kind === "comprehension") below = this.#heights.get(expr.range) ?? 0;
    if (expr.kind === "call") {
      if (expr.target !== undefined) below = this.#heights.get(expr.target) ?? 0;
      for (const arg of expr.args) below = Math.max(below, this.#heights.get(arg) ?? 0);
    }
    const height = below + (isLogic ? 0 : 1);
    if (height > MAX_NESTING) this.#failAt(-1, "max recursion depth exceeded");
    this.#heights.set(expr, height);
    return expr;
  }

  #isNumber(token: Token): boolean {
    return token.kind === "int" || token.kind === "float";
  }

  #isSymbol(token: Token, text: string): boolean {
    return token.kind === "symbol" && token.text === text;
  }

  #peek(ahead = 0): Token {
    const token = this.#tokens[this.#at + ahead] ?? this.#tokens[this.#tokens.length - 1];
    if (token === undefined) throw new CelCompileError([{ line: 1, column: 0, message: "no expression" }]);
    // What comes before has been found right, or its mistake would have been told first.
    if (token.kind === "faulty" && ahead === 0) this.#fail(token, unrecognized(token));
    return token;
  }

  #next(): Token {
    const token = this.#peek();
    this.#at++;
    return token;
  }

  #take(symbol: string): boolean {
    if (!this.#isSymbol(this.#peek(), symbol)) return false;
    this.#at++;
    return true;
  }

  #expect(symbol: string): Token {
    const token = this.#next();
    if (this.#isSymbol(token, symbol)) return token;
    // What may follow a closing bracket lets ANTLR take the bracket for forgotten.
    if (token.kind === "end" && (symbol === ")" || symbol === "]"))
      return this.#fail(token, `Syntax error: missing '${symbol}' at '${token.text}'`);
    return this.#fail(token, `Syntax error: mismatched input '${token.text}' expecting '${symbol}'`);
  }

  #failExpected(token: Token): never {
    return this.#fail(token, `Syntax error: mismatched input '${token.text}' expecting ${EXPRESSION_START}`);
  }

  #fail(token: Token, message: string): never {
    return this.#failAt(token.at, message);
  }

  #failNesting(): never {
    return this.#failAt(-1, `expression recursion limit exceeded: ${MAX_NESTING}`);
  }

  #failAt(at: number, message: string): never {
    throw new CelCompileError([{ ...locate(this.#source, at), message }], this.#source);
  }
}

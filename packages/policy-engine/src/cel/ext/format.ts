import { CelError } from "../errors.ts";
import { CelUint, type CelValue, isInt, typeOf } from "../values.ts";
import { spend, workOf } from "../work.ts";
import type { FormatStyle } from "./format-style.ts";

export { LOCALIZED, PLAIN } from "./format-style.ts";

const DEFAULT_PRECISION = 6;
/** What a clause takes, in units of work.ts, and a digit after the point. */
const CLAUSE_WORK = 4;
const DIGIT_WORK = 8;
/** What writing a double exactly takes on top: it may have hundreds of digits. */
const DOUBLE_WORK = 100;
/** Longest result, in UTF-16 units. */
const MAX_LENGTH = 16_000_000;

/**
 * `text.format(args)`: `%s`, `%d`, `%f`, `%e`, `%b`, `%x`, `%X`, `%o` and `%%`, with `.n` as precision of `%f` and
 * `%e`. Throws `CelError` in the words of cel-go (ext/formatting.go, ext/formatting_v2.go).
 */
export function formatText(text: string, args: readonly CelValue[], style: FormatStyle): string {
  let out = "";
  let used = 0;
  for (const piece of formatPieces(text, args.length, style)) {
    out += typeof piece === "string" ? piece : formatClause(piece, args[used++] ?? null, style);
    spend(CLAUSE_WORK);
    if (out.length > MAX_LENGTH) throw new CelError(`format: result of more than ${MAX_LENGTH} characters`);
  }
  return out;
}

/** Plain text and clauses in turn. Throws `CelError` for a faulty clause and where arguments run out. */
function* formatPieces(text: string, argCount: number, style: FormatStyle): Generator<string | Clause> {
  let used = 0;
  for (let at = 0; at < text.length; ) {
    const percent = text.indexOf("%", at);
    if (percent === -1) {
      yield text.slice(at);
      return;
    }
    yield text.slice(at, percent);
    if (text[percent + 1] === "%") {
      yield "%";
      at = percent + 2;
      continue;
    }
    if (used >= argCount) throw new CelError(`index ${used} out of range`);
    if (percent + 1 >= text.length) throw new CelError("unexpected end of string");
    const clause = parseClause(text, percent + 1, style);
    yield clause;
    used++;
    at = clause.end;
  }
}

/** `verb` is the letter of a clause such as `%s`. */
interface Clause {
  readonly verb: string;
  readonly precision: number;
  readonly end: number;
}

function parseClause(text: string, start: number, style: FormatStyle): Clause {
  let at = start;
  let precision = DEFAULT_PRECISION;
  if (text[at] === ".") {
    at++;
    const from = at;
    while (at < text.length && text.charAt(at) >= "0" && text.charAt(at) <= "9") at++;
    precision = parsePrecision(text.slice(from, at), at >= text.length, style);
  }
  const verb = String.fromCodePoint(text.codePointAt(at) ?? 0);
  if (!"sdfebxXo".includes(verb)) {
    throw new CelError(`could not parse formatting clause: unrecognized formatting clause "${verb}"`);
  }
  return { verb, precision, end: at + verb.length };
}

function parsePrecision(digits: string, isAtEnd: boolean, style: FormatStyle): number {
  const fail = (reason: string): CelError =>
    new CelError(`could not parse formatting clause: error while parsing precision: ${reason}`);
  if (isAtEnd) throw fail("could not find end of precision specifier");
  if (digits === "") {
    throw fail('error while converting precision to integer: strconv.Atoi: parsing "": invalid syntax');
  }
  const precision = Number(digits);
  if (precision > style.maxPrecision) {
    throw fail(`precision ${digits} exceeds maximum allowed precision ${style.maxPrecision}`);
  }
  return precision;
}

function formatClause({ verb, precision }: Clause, arg: CelValue, style: FormatStyle): string {
  spend(workOf(arg) + (verb === "f" || verb === "e" ? DOUBLE_WORK + precision * DIGIT_WORK : 0));
  try {
    switch (verb) {
      case "s":
        return style.text(arg);
      case "d":
        return style.decimal(arg);
      case "f":
        return style.fixed(arg, precision);
      case "e":
        return style.scientific(arg, precision);
      case "b":
        return typeof arg === "boolean" ? String(Number(arg)) : inBase(arg, 2, style.binaryError);
      case "o":
        return inBase(arg, 8, style.octalError);
      default:
        return verb === "X" ? hex(arg, style).toUpperCase() : hex(arg, style);
    }
  } catch (error) {
    if (error instanceof CelError) throw new CelError(`error during formatting: ${error.message}`);
    throw error;
  }
}

function inBase(arg: CelValue, base: number, message: string): string {
  if (isInt(arg)) return arg.toString(base);
  if (arg instanceof CelUint) return arg.value.toString(base);
  throw new CelError(`${message}, was given ${typeOf(arg).name}`);
}

function hex(arg: CelValue, style: FormatStyle): string {
  const bytes = typeof arg === "string" ? new TextEncoder().encode(arg) : arg;
  if (!(bytes instanceof Uint8Array)) return inBase(arg, 16, style.hexError);
  spend(bytes.length);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

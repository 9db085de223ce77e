/** `regex.*` (OPA's v1/topdown/regex.go, regex_template.go). */
import type { RE2JS } from "re2js";
import type { RegoValue } from "../values.ts";
import type { Builtin, BuiltinContext } from "./contract.ts";
import { globsIntersect } from "./globs-match.ts";
import { isAscii } from "./go/bytes.ts";
import { goQuote } from "./go/quote.ts";
import { refuseLongText, refuseManyElements } from "./limits.ts";
import { builtin, failure, intOperand, operand, textOperand } from "./operands.ts";
import { compiledPattern, isMatch, isPattern, type Match, matchesOf, spendOnCompiling } from "./patterns.ts";

function patternOperand(args: readonly RegoValue[], position: number, context: BuiltinContext): RE2JS {
  return compiledPattern(textOperand(args, position), context);
}

function collect(matches: Iterable<Match>, context: BuiltinContext): readonly Match[] {
  const result: Match[] = [];
  let groups = 0;
  for (const match of matches) {
    groups += match.groups.length;
    refuseManyElements(groups);
    context.spend(match.groups.length);
    result.push(match);
  }
  return result;
}

function match(args: readonly RegoValue[], context: BuiltinContext): boolean {
  textOperand(args, 1);
  const text = textOperand(args, 2);
  return isMatch(patternOperand(args, 1, context), text);
}

/** Matches of operand 1 in operand 2, at most operand 3 of them. */
function find(args: readonly RegoValue[], context: BuiltinContext): readonly Match[] {
  textOperand(args, 1);
  const text = textOperand(args, 2);
  const limit = intOperand(args, 3);
  return collect(matchesOf(patternOperand(args, 1, context), text, limit), context);
}

/** Go's Regexp.Split: an empty match at the very start cuts nothing. */
function split(args: readonly RegoValue[], context: BuiltinContext): readonly string[] {
  const pattern = textOperand(args, 1);
  const text = textOperand(args, 2);
  const compiled = patternOperand(args, 1, context);
  if (pattern !== "" && text === "") {
    return [""];
  }
  const parts: string[] = [];
  let from = 0;
  let end = 0;
  for (const found of collect(matchesOf(compiled, text, -1), context)) {
    end = found.start;
    if (found.end !== 0) {
      parts.push(text.slice(from, end));
    }
    from = found.end;
  }
  if (end !== text.length) {
    parts.push(text.slice(from));
  }
  return parts;
}

const isWordUnit = (unit: number): boolean =>
  (unit >= 0x30 && unit <= 0x39) || unit === 0x5f || ((unit | 0x20) >= 0x61 && (unit | 0x20) <= 0x7a);

/** A piece of a replacement: literal text, or the group it names. */
type Piece = { readonly literal: string } | { readonly group: string };

function wordEnd(text: string, from: number): number {
  let end = from;
  while (end < text.length && isWordUnit(text.charCodeAt(end))) {
    end += 1;
  }
  return end;
}

/** Go's Regexp.Expand templates: `$1`, `$name`, `${name}`, `$$`; a malformed one stands for itself. */
function replacementPieces(template: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  while (at < template.length) {
    const dollar = template.indexOf("$", at);
    if (dollar < 0) {
      break;
    }
    pieces.push({ literal: template.slice(at, dollar) });
    at = dollar + 1;
    if (template[at] === "$") {
      pieces.push({ literal: "$" });
      at += 1;
      continue;
    }
    const braced = template[at] === "{";
    const start = braced ? at + 1 : at;
    const end = wordEnd(template, start);
    if (end === start || (braced && template[end] !== "}")) {
      pieces.push({ literal: "$" });
      continue;
    }
    pieces.push({ group: template.slice(start, end) });
    at = braced ? end + 1 : end;
  }
  pieces.push({ literal: template.slice(at) });
  return pieces;
}

function isNumeric(text: string): boolean {
  return text.length <= 9 && Array.from(text).every((digit) => digit >= "0" && digit <= "9");
}

function groupText(name: string, found: Match, names: ReadonlyMap<string, number>): string {
  const index = isNumeric(name) ? Number(name) : names.get(name);
  return (index === undefined ? undefined : found.groups[index]) ?? "";
}

function replace(args: readonly RegoValue[], context: BuiltinContext): string {
  const text = textOperand(args, 1);
  textOperand(args, 2);
  const pieces = replacementPieces(textOperand(args, 3));
  const pattern = patternOperand(args, 2, context);
  const names = new Map(Object.entries(pattern.namedGroups()));
  const parts: string[] = [];
  let length = 0;
  const emit = (part: string) => {
    length += part.length;
    refuseLongText(length);
    parts.push(part);
  };
  let last = 0;
  for (const found of matchesOf(pattern, text, -1)) {
    context.spend(pieces.length);
    emit(text.slice(last, found.start));
    for (const piece of pieces) {
      emit("literal" in piece ? piece.literal : groupText(piece.group, found, names));
    }
    last = found.end;
  }
  emit(text.slice(last));
  return parts.join("");
}

const META = new Set("\\.+*?()|[]{}^$");

/** Go's regexp.QuoteMeta. */
function quoteMeta(text: string): string {
  return Array.from(text, (character) => (META.has(character) ? `\\${character}` : character)).join("");
}

/** Where the outermost delimited parts begin and end. */
function delimited(template: string, start: string, end: string): readonly (readonly [number, number])[] {
  const parts: (readonly [number, number])[] = [];
  let level = 0;
  let from = 0;
  for (let index = 0; index < template.length; index += 1) {
    if (template[index] === start) {
      level += 1;
      from = level === 1 ? index : from;
    } else if (template[index] === end) {
      level -= 1;
      if (level === 0) {
        parts.push([from, index + 1]);
      }
    }
    if (level < 0) {
      break;
    }
  }
  if (level !== 0) {
    throw failure(`unbalanced braces in ${goQuote(template)}`);
  }
  return parts;
}

function delimiterOperand(args: readonly RegoValue[], position: number): string {
  const text = textOperand(args, position);
  if (text.length !== 1 || !isAscii(text)) {
    const which = position === 3 ? "start" : "end";
    throw failure(`${which} delimiter has to be exactly one character long but is ${text.length} long`);
  }
  return text;
}

/** `urn:foo:{.*}`: literal text with regular expressions between delimiters. */
function templateMatch(args: readonly RegoValue[], context: BuiltinContext): boolean {
  const template = textOperand(args, 1);
  const text = textOperand(args, 2);
  for (const position of [3, 4]) {
    textOperand(args, position);
  }
  const start = delimiterOperand(args, 3);
  const end = delimiterOperand(args, 4);
  let pattern = "^";
  let last = 0;
  for (const [from, to] of delimited(template, start, end)) {
    pattern += `${quoteMeta(template.slice(last, from))}(${template.slice(from + 1, to - 1)})`;
    last = to;
  }
  pattern += `${quoteMeta(template.slice(last))}$`;
  return isMatch(compiledPattern(pattern, context), text);
}

export const regexBuiltins: readonly Builtin[] = [
  builtin("regex.match", 2, match),
  builtin("re_match", 2, match),
  builtin("regex.is_valid", 1, (args, context) => {
    const pattern = operand(args, 1);
    if (typeof pattern !== "string") {
      return false;
    }
    spendOnCompiling(pattern, context);
    return isPattern(pattern);
  }),
  builtin("regex.find_n", 3, (args, context) => find(args, context).map(({ groups }) => groups[0] ?? "")),
  builtin("regex.find_all_string_submatch_n", 3, (args, context) =>
    find(args, context).map(({ groups }) => groups.map((group) => group ?? "")),
  ),
  builtin("regex.split", 2, split),
  builtin("regex.replace", 3, replace),
  builtin("regex.template_match", 4, templateMatch),
  builtin("regex.globs_match", 2, (args, context) =>
    globsIntersect(textOperand(args, 1), textOperand(args, 2), context),
  ),
];

/** The built-ins that make a new string of others (OPA's v1/topdown/strings.go). */

import { splitAt } from "../../text-search.ts";
import { type AnyObject, getKey, type RegoValue, sortedKeysOf } from "../values.ts";
import { countWork } from "../work-meter.ts";
import type { Builtin, BuiltinContext } from "./contract.ts";
import { reversedRunes, runeOffset } from "./go/bytes.ts";
import { toLower, toUpper } from "./go/letter-case.ts";
import { bigIntText } from "./go/number-text.ts";
import { stretchesOf } from "./go/stretches.ts";
import { maxElements, refuseLongText, refuseManyElements } from "./limits.ts";
import {
  builtin,
  failure,
  intOperand,
  numberOperand,
  objectOperand,
  operandError,
  textListOperand,
  textOperand,
} from "./operands.ts";

function spendOn(context: BuiltinContext, length: number): void {
  context.spend(1 + Math.floor(length / 16));
}

function concat(args: readonly RegoValue[], context: BuiltinContext): string {
  const separator = textOperand(args, 1);
  const parts = textListOperand(args, 2, ["set", "array"]);
  let length = separator.length * Math.max(0, parts.length - 1);
  for (const part of parts) {
    length += part.length;
  }
  refuseLongText(length);
  spendOn(context, length);
  return parts.join(separator);
}

const RADIXES: ReadonlySet<number> = new Set([2, 8, 10, 16]);

function formatInt(args: readonly RegoValue[]): string {
  const value = numberOperand(args, 1);
  const base = Number(numberOperand(args, 2));
  if (!RADIXES.has(base)) {
    throw operandError(2, "must be one of {2, 8, 10, 16}");
  }
  return bigIntText(BigInt(typeof value === "bigint" ? value : Math.trunc(value)), base);
}

function substring(args: readonly RegoValue[], context: BuiltinContext): string {
  const text = textOperand(args, 1);
  const offset = intOperand(args, 2);
  const length = intOperand(args, 3);
  if (offset < 0) {
    throw failure("negative offset");
  }
  spendOn(context, text.length);
  const start = runeOffset(text, offset);
  const rest = text.slice(start);
  return length < 0 ? rest : rest.slice(0, runeOffset(rest, length));
}

/** At most one part more than there may be. */
function splitBy(text: string, delimiter: string): string[] {
  if (delimiter !== "") return splitAt(text, delimiter, maxElements + 1, tick);
  const runes: string[] = [];
  for (const part of stretchesOf(text)) {
    if (runes.length > maxElements) break;
    for (const rune of part) runes.push(rune);
  }
  return runes;
}

const tick = (): void => countWork(1);

function split(args: readonly RegoValue[], context: BuiltinContext): readonly string[] {
  const text = textOperand(args, 1);
  const delimiter = textOperand(args, 2);
  spendOn(context, text.length * (delimiter === "" ? 16 : 1));
  const parts = splitBy(text, delimiter);
  refuseManyElements(parts.length);
  context.spend(parts.length);
  return parts;
}

/** The first `n` parts; with a negative `n` the last ones. */
function splitN(args: readonly RegoValue[], context: BuiltinContext): readonly string[] {
  const count = intOperand(args, 3);
  const parts = split(args, context);
  return count >= 0 ? parts.slice(0, count) : parts.slice(Math.max(0, parts.length + count));
}

interface Replacement {
  readonly from: string;
  readonly to: string;
}

/**
 * Go's strings.Replacer: at each position the first pattern that fits wins, and an empty one fits anywhere but
 * directly behind itself. Where Go steps by bytes after an empty match this steps by runes.
 */
class Replacer {
  readonly #byFirst = new Map<string, Replacement[]>();
  #empty: string | undefined;

  constructor(replacements: readonly Replacement[]) {
    for (const replacement of replacements) {
      if (replacement.from === "") {
        this.#empty ??= replacement.to;
        continue;
      }
      const first = replacement.from.charAt(0);
      const same = this.#byFirst.get(first);
      if (same === undefined) {
        this.#byFirst.set(first, [replacement]);
      } else {
        same.push(replacement);
      }
    }
  }

  /** Each pattern is compared to its first difference, 4 characters a unit of work. */
  #match(text: string, at: number, context: BuiltinContext): Replacement | undefined {
    return this.#byFirst.get(text.charAt(at))?.find(({ from }) => {
      let equal = 1;
      while (equal < from.length && text.charCodeAt(at + equal) === from.charCodeAt(equal)) {
        equal += 1;
      }
      context.spend(4 + (equal >>> 2));
      return equal === from.length;
    });
  }

  replace(text: string, context: BuiltinContext): string {
    const parts: string[] = [];
    let length = 0;
    const emit = (part: string) => {
      length += part.length;
      refuseLongText(length);
      parts.push(part);
      spendOn(context, part.length);
    };
    let last = 0;
    let at = 0;
    let afterEmpty = false;
    while (at <= text.length) {
      if (this.#empty !== undefined && !afterEmpty) {
        emit(text.slice(last, at));
        emit(this.#empty);
        last = at;
        afterEmpty = true;
        continue;
      }
      afterEmpty = false;
      const found = this.#match(text, at, context);
      if (found !== undefined) {
        emit(text.slice(last, at));
        emit(found.to);
        at += found.from.length;
        last = at;
      } else {
        at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
      }
    }
    emit(text.slice(last));
    return parts.join("");
  }
}

function replacements(patterns: AnyObject): readonly Replacement[] {
  return sortedKeysOf(patterns).map((from) => {
    if (typeof from !== "string") {
      throw operandError(1, "non-string key found in pattern object");
    }
    const to = getKey(patterns, from);
    if (typeof to !== "string") {
      throw operandError(1, "non-string value found in pattern object");
    }
    return { from, to };
  });
}

function replace(args: readonly RegoValue[], context: BuiltinContext): string {
  const text = textOperand(args, 1);
  const from = textOperand(args, 2);
  const to = textOperand(args, 3);
  spendOn(context, text.length);
  if (from === "") {
    return new Replacer([{ from, to }]).replace(text, context);
  }
  const parts = splitAt(text, from, maxElements + 1, tick);
  refuseManyElements(parts.length);
  refuseLongText(text.length + (parts.length - 1) * (to.length - from.length));
  context.spend(parts.length + (((parts.length - 1) * to.length) >>> 4));
  return parts.join(to);
}

function replaceN(args: readonly RegoValue[], context: BuiltinContext): string {
  const patterns = objectOperand(args, 1);
  const text = textOperand(args, 2);
  const rules = replacements(patterns);
  context.spend(rules.length + Math.floor(text.length / 16) * (1 + Math.floor(rules.length / 64)));
  return new Replacer(rules).replace(text, context);
}

/** unicode.IsSpace. */
const SPACES: ReadonlySet<number> = runesOf(
  "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000",
);

interface Ends {
  readonly left: boolean;
  readonly right: boolean;
}

/** Runes looked at between two counts. */
const runesPerCount = 64;

function trimmed(text: string, cut: ReadonlySet<number>, ends: Ends): string {
  let start = 0;
  let end = text.length;
  let looked = 0;
  const isCut = (rune: number): boolean => {
    if (++looked % runesPerCount === 0) countWork(runesPerCount / 4);
    return cut.has(rune);
  };
  while (ends.left && start < end) {
    const rune = text.codePointAt(start) ?? 0;
    if (!isCut(rune)) {
      break;
    }
    start += rune > 0xffff ? 2 : 1;
  }
  while (ends.right && end > start) {
    const pair = end - start >= 2 ? (text.codePointAt(end - 2) ?? 0) : 0;
    const rune = pair > 0xffff ? pair : text.charCodeAt(end - 1);
    if (!isCut(rune)) {
      break;
    }
    end -= rune > 0xffff ? 2 : 1;
  }
  return text.slice(start, end);
}

function runesOf(text: string): ReadonlySet<number> {
  const runes = new Set<number>();
  for (const part of stretchesOf(text)) for (const rune of part) runes.add(rune.codePointAt(0) ?? 0);
  return runes;
}

function trimming(name: string, ends: Ends): Builtin {
  return builtin(name, 2, (args, context) => {
    const text = textOperand(args, 1);
    const cut = textOperand(args, 2);
    spendOn(context, text.length + cut.length);
    return trimmed(text, runesOf(cut), ends);
  });
}

function reversed(text: string): string {
  const parts: string[] = [];
  for (const part of stretchesOf(text)) parts.push(reversedRunes(part));
  return parts.reverse().join("");
}

function changing(name: string, change: (text: string) => string): Builtin {
  return builtin(name, 1, (args, context) => {
    const text = textOperand(args, 1);
    spendOn(context, text.length);
    return change(text);
  });
}

export const textChangeBuiltins: readonly Builtin[] = [
  builtin("concat", 2, concat),
  builtin("format_int", 2, formatInt),
  builtin("substring", 3, substring),
  builtin("split", 2, split),
  builtin("strings.split_n", 3, splitN),
  builtin("replace", 3, replace),
  builtin("strings.replace_n", 2, replaceN),
  changing("lower", toLower),
  changing("upper", toUpper),
  changing("strings.reverse", reversed),
  changing("trim_space", (text) => trimmed(text, SPACES, { left: true, right: true })),
  trimming("trim", { left: true, right: true }),
  trimming("trim_left", { left: true, right: false }),
  trimming("trim_right", { left: false, right: true }),
  builtin("trim_prefix", 2, (args) => {
    const text = textOperand(args, 1);
    const prefix = textOperand(args, 2);
    return text.startsWith(prefix) ? text.slice(prefix.length) : text;
  }),
  builtin("trim_suffix", 2, (args) => {
    const text = textOperand(args, 1);
    const suffix = textOperand(args, 2);
    return text.endsWith(suffix) ? text.slice(0, text.length - suffix.length) : text;
  }),
];

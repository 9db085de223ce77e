/** The built-ins that look for one string in another (OPA's v1/topdown/strings.go). Offsets count runes. */

import { indexIn, TextSearch } from "../../text-search.ts";
import { isArray, isSet, type RegoValue } from "../values.ts";
import { countWork } from "../work-meter.ts";
import type { Builtin, BuiltinContext } from "./contract.ts";
import { isAscii, runeCount } from "./go/bytes.ts";
import { maxElements, refuseManyElements } from "./limits.ts";
import { builtin, failure, operand, textListOperand, textOperand, wrongType } from "./operands.ts";

const tick = (): void => countWork(1);

/** Work of a search over a text, in the contract's unit of 16 characters. */
function spendOnText(context: BuiltinContext, ...texts: readonly string[]): void {
  let length = 0;
  for (const text of texts) {
    length += text.length;
  }
  context.spend(1 + Math.floor(length / 16));
}

function searched(args: readonly RegoValue[], context: BuiltinContext): readonly [string, string] {
  const text = textOperand(args, 1);
  const search = textOperand(args, 2);
  if (search === "") {
    throw failure("empty search character");
  }
  spendOnText(context, text, search);
  return [text, search];
}

function indexOf(text: string, search: string): number {
  const at = indexIn(text, search, 0, tick);
  return at <= 0 || isAscii(text) ? at : runeCount(text.slice(0, at));
}

/** Occurrences may overlap. */
function allIndexes(text: string, search: string): readonly number[] {
  const found: number[] = [];
  let counted = 0;
  let runes = 0;
  for (const at of new TextSearch(search, tick).all(text, maxElements + 1)) {
    refuseManyElements(found.length);
    countWork(1 + ((at - counted) >>> 4));
    runes += runeCount(text.slice(counted, at));
    counted = at;
    found.push(runes);
  }
  return found;
}

function countOf(text: string, search: string): number {
  if (search === "") {
    return runeCount(text) + 1;
  }
  let count = 0;
  const occurrences = new TextSearch(search, tick);
  for (let at = occurrences.next(text, 0); at >= 0; at = occurrences.next(text, at + search.length)) {
    countWork(1);
    count += 1;
  }
  return count;
}

function textsOf(args: readonly RegoValue[], position: number): readonly string[] {
  const value = operand(args, position);
  if (typeof value === "string") {
    return [value];
  }
  if (!isArray(value) && !isSet(value)) {
    throw wrongType(position, value, "string", "set", "array");
  }
  return textListOperand(args, position);
}

function anyMatch(name: string, matches: (text: string, affix: string) => boolean): Builtin {
  return builtin(name, 2, (args, context) => {
    const texts = textsOf(args, 1);
    const affixes = textsOf(args, 2);
    const length = affixes.reduce((total, affix) => total + affix.length, 0);
    context.spend(texts.length * (affixes.length + (length >>> 9)));
    return texts.some((text) => affixes.some((affix) => matches(text, affix)));
  });
}

function searching(name: string, answer: (text: string, search: string) => RegoValue): Builtin {
  const call = builtin(name, 2, (args, context) => {
    const text = textOperand(args, 1);
    const search = textOperand(args, 2);
    spendOnText(context, text);
    return answer(text, search);
  });
  return { ...call, ofTexts: { answer, work: workOfSearch } };
}

/** The call and its arguments (argument-cost.ts), and then `spendOnText`. */
function workOfSearch(text: string, search: string): number {
  return 2 + 2 * (text.length >>> 4) + (search.length >>> 4);
}

export const textSearchBuiltins: readonly Builtin[] = [
  searching("contains", (text, search) => indexIn(text, search, 0, tick) >= 0),
  searching("startswith", (text, search) => text.startsWith(search)),
  searching("endswith", (text, search) => text.endsWith(search)),
  searching("strings.count", countOf),
  builtin("indexof", 2, (args, context) => indexOf(...searched(args, context))),
  builtin("indexof_n", 2, (args, context) => allIndexes(...searched(args, context))),
  anyMatch("strings.any_prefix_match", (text, affix) => text.startsWith(affix)),
  anyMatch("strings.any_suffix_match", (text, affix) => text.endsWith(affix)),
];

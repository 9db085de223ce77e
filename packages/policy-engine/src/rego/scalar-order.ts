/** Order of numbers and strings as Go's OPA has it (v1/ast Compare). */

import { countWork } from "./work-meter.ts";

/** Rego's numbers are exact. Integers beyond ±2^53 that arithmetic makes are bigint; all else is a JS number. */
export type RegoNumber = number | bigint;

/** A JS number where that is exact, else the bigint: the one representation an integer made by arithmetic has. */
export function integer(value: bigint): RegoNumber {
  return value >= -9007199254740991n && value <= 9007199254740991n ? Number(value) : value;
}

/** Compares by mathematical value; JavaScript compares number with bigint exactly. */
export function compareNumbers(a: RegoNumber, b: RegoNumber): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Compares by code point, which is the order of UTF-8 bytes that Go uses. JavaScript's own `<` compares UTF-16
 * units and differs between U+E000..U+FFFF and what lies beyond U+FFFF.
 */
export function compareStrings(a: string, b: string): number {
  if (a === b) return 0;
  const shared = Math.min(a.length, b.length);
  let at = 0;
  while (at < shared && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  if (at >= longPrefix) countWork(at >>> 4);
  if (at === shared) return a.length - b.length;
  return codePointRank(a.charCodeAt(at)) - codePointRank(b.charCodeAt(at));
}

/** Equal beginnings from this length on are counted as work. */
const longPrefix = 256;

/** Lifts surrogates above U+FFFF: two units compare as the code points they belong to. */
function codePointRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

/**
 * Compiled regular expressions, in time linear in the text (RE2 by re2js, as Go's regexp). Two dialects meet
 * here: re2js takes lookbehind, which Go refuses, so it is refused here too.
 */
import { RE2JS, RE2JSSyntaxException } from "re2js";
import { flatCopy } from "../../flat-copy.ts";
import { estimatedProgramSize } from "../../regex-size.ts";
import { countWork } from "../work-meter.ts";
import { type BuiltinContext, LimitError } from "./contract.ts";
import { refuseLongPattern } from "./limits.ts";
import { MeteredText } from "./metered-text.ts";
import { failure } from "./operands.ts";

/** Work to compile an instruction. */
const compileCost = 12;
/** The largest program that is compiled, by estimate: some 20 ms. OPA has Go's limits, which are far higher. */
const maxProgram = 8_000;
/** Texts up to this length are searched uncounted. */
const shortText = 256;

/** Charges for a pattern that is about to be compiled. Throws `LimitError` for one that is too large. */
export function spendOnCompiling(pattern: string, context: BuiltinContext): void {
  refuseLongPattern(pattern);
  context.spend(1 + (pattern.length >>> 2));
  const estimate = estimatedProgramSize(pattern);
  if (estimate > maxProgram) {
    throw new LimitError(`a regular expression may come to at most ${maxProgram} instructions`);
  }
  context.spend(1 + estimate * compileCost);
}

/** A text as a pattern is to be given it. */
function searched(pattern: RE2JS, text: string): string {
  // A String object is no string to TypeScript, but is one to re2js.
  return text.length <= shortText && pattern.programSize() <= shortText
    ? text
    : (new MeteredText(text, pattern.programSize()) as unknown as string);
}

/** Whether a pattern matches anywhere in a text. */
export function isMatch(pattern: RE2JS, text: string): boolean {
  countWork(Math.min(text.length, shortText) >>> 2);
  return pattern.test(searched(pattern, text));
}

function hasLookbehind(pattern: string): boolean {
  return pattern.includes("(?<=") || pattern.includes("(?<!");
}

function syntaxMessage(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  // Go names the offending part in every message; re2js not when that is empty.
  return text.endsWith("at end of expression") ? `${text}: \`\`` : text;
}

/** @throws RE2JSSyntaxException or another error of re2js when the pattern is none. */
function compile(pattern: string): RE2JS {
  if (hasLookbehind(pattern)) {
    throw new RE2JSSyntaxException("invalid or unsupported Perl syntax", "(?<");
  }
  return RE2JS.compile(pattern);
}

export function isPattern(pattern: string): boolean {
  try {
    compile(pattern);
    return true;
  } catch {
    // re2js throws several classes; each means that the pattern does not compile.
    return false;
  }
}

/** @throws BuiltinError when the pattern does not compile. */
export function compiledPattern(pattern: string, context: BuiltinContext): RE2JS {
  const key = `regex:${pattern}`;
  const known = context.cache.get(key);
  if (known instanceof RE2JS) {
    return known;
  }
  spendOnCompiling(pattern, context);
  let compiled: RE2JS;
  try {
    compiled = compile(flatCopy(pattern));
  } catch (error) {
    throw failure(syntaxMessage(error), error);
  }
  context.cache.set(key, compiled, compiled.programSize() + pattern.length);
  return compiled;
}

/** Offsets in UTF-16 units of a match and its groups; -1 for a group that took no part. */
export interface Match {
  readonly start: number;
  readonly end: number;
  readonly groups: readonly (string | null)[];
}

/**
 * The matches of Go's FindAll: from left to right, no empty one directly behind another match.
 *
 * @param limit how many; negative is all.
 */
export function* matchesOf(pattern: RE2JS, text: string, limit: number): Generator<Match> {
  const matcher = pattern.matcher(searched(pattern, text));
  const groupCount = matcher.groupCount();
  let at = 0;
  let previousEnd = -1;
  let found = 0;
  // A short text is not counted as it is read, but may be read to its end for every match.
  const find = (): boolean => {
    countWork(1 + (Math.min(text.length, shortText) >>> 2));
    return matcher.find(at);
  };
  while (at <= text.length && (limit < 0 || found < limit) && find()) {
    const start = matcher.start();
    const end = matcher.end();
    const accepted = end > start || start !== previousEnd;
    if (end > start) {
      at = end;
    } else {
      at = end + ((text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1);
    }
    previousEnd = end;
    if (accepted) {
      found += 1;
      const groups: (string | null)[] = [];
      for (let group = 0; group <= groupCount; group += 1) {
        groups.push(matcher.group(group));
      }
      yield { start, end, groups };
    }
  }
}

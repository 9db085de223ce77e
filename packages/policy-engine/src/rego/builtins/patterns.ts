/**
 * Compiled regular expressions, in time linear in the text (RE2 by re2js, as Go's regexp). Two dialects meet
 * here: re2js takes lookbehind, which Go refuses, so it is refused here too.
 */
import { RE2JS, RE2JSSyntaxException } from "re2js";
import type { BuiltinContext } from "./contract.ts";
import { refuseLongPattern } from "./limits.ts";
import { failure } from "./operands.ts";

/** Work to compile a pattern, per character of it. */
const compileCost = 8;

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
  refuseLongPattern(pattern);
  context.spend(1 + pattern.length * compileCost);
  let compiled: RE2JS;
  try {
    compiled = compile(pattern);
  } catch (error) {
    throw failure(syntaxMessage(error), error);
  }
  context.cache.set(key, compiled);
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
  const matcher = pattern.matcher(text);
  const groupCount = matcher.groupCount();
  let at = 0;
  let previousEnd = -1;
  let found = 0;
  while (at <= text.length && (limit < 0 || found < limit) && matcher.find(at)) {
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

import { RE2JS } from "re2js";
import { CelError } from "../errors.ts";

/** Compiled patterns by text. Expressions come from policies and are few; those made at run time push out the rest. */
const compiled = new Map<string, RE2JS>();
const MAX_COMPILED = 512;
/** Longest pattern, in UTF-16 units: compiling costs more than matching. */
const MAX_PATTERN = 10_000;

/** A pattern in RE2 syntax, which matches in linear time whatever the text. Throws `CelError` for a faulty one. */
export function compileRegex(pattern: string): RE2JS {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  if (pattern.length > MAX_PATTERN)
    throw new CelError(`regular expression of more than ${MAX_PATTERN} characters`);
  let regex: RE2JS;
  try {
    regex = RE2JS.compile(pattern);
  } catch (error) {
    throw new CelError(error instanceof Error ? error.message : String(error));
  }
  if (compiled.size >= MAX_COMPILED) compiled.clear();
  compiled.set(pattern, regex);
  return regex;
}

/** Whether the pattern matches anywhere in the text. */
export function regexMatches(text: string, pattern: string): boolean {
  return compileRegex(pattern).matcher(text).find();
}

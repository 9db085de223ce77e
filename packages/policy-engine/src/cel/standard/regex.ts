import { RE2JS } from "re2js";
import { flatCopy } from "../../flat-copy.ts";
import { estimatedProgramSize } from "../../regex-size.ts";
import { CelError } from "../errors.ts";
import { shortened } from "../shortened.ts";
import { spend } from "../work.ts";

export interface Regex {
  readonly compiled: RE2JS;
  /** What reading a character of a text takes, in units of work.ts. */
  readonly workPerCharacter: number;
}

/** Compiled patterns by text. Expressions come from policies and are few; those made at run time push out the rest. */
const known = new Map<string, Regex & { readonly size: number }>();
/** Instructions of all patterns that are kept, of some 200 bytes each. */
const MAX_KEPT_SIZE = 100_000;
let keptSize = 0;

/** Longest pattern, in UTF-16 units: compiling costs more than matching. */
const MAX_PATTERN = 10_000;
/** Largest program: some 50 ms of compiling. */
const MAX_PROGRAM = 20_000;
/** What compiling an instruction takes, in units of work.ts. */
const COMPILE_WORK = 120;
/** What a character takes whatever the program, and an instruction of the program on top: few are live at a time. */
const CHARACTER_WORK = 12;
const INSTRUCTION_WORK = 0.15;

/** A pattern in RE2 syntax, which matches in linear time whatever the text. Throws `CelError` for a faulty one. */
export function compileRegex(pattern: string): Regex {
  const found = known.get(pattern);
  if (found !== undefined) return found;
  if (pattern.length > MAX_PATTERN)
    throw new CelError(`regular expression of more than ${MAX_PATTERN} characters`);
  const estimate = estimatedProgramSize(pattern);
  if (estimate > MAX_PROGRAM)
    throw new CelError(
      `regular expression of more than ${MAX_PROGRAM} characters with repetitions written out`,
    );
  spend(estimate * COMPILE_WORK);
  // The program holds its pattern, and names of groups cut from it.
  const kept = flatCopy(pattern);
  const compiled = compileRe2(kept);
  const size = compiled.programSize();
  const regex = {
    compiled,
    size: size + pattern.length,
    workPerCharacter: CHARACTER_WORK + size * INSTRUCTION_WORK,
  };
  if (keptSize + regex.size > MAX_KEPT_SIZE) {
    known.clear();
    keptSize = 0;
  }
  keptSize += regex.size;
  known.set(kept, regex);
  return regex;
}

function compileRe2(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    throw new CelError(shortened(error instanceof Error ? error.message : String(error)));
  }
}

/** Whether the pattern matches anywhere in the text. */
export function regexMatches(text: string, pattern: string): boolean {
  const { compiled, workPerCharacter } = compileRegex(pattern);
  spend(text.length * workPerCharacter);
  return compiled.matcher(text).find();
}

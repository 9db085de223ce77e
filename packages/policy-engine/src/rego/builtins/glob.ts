/**
 * `glob.*`: the language of gobwas/glob v1, which OPA uses. A pattern becomes a nondeterministic automaton that
 * is run over the text one rune at a time, so matching takes time proportional to the product of both lengths.
 */
import { flatCopy } from "../../flat-copy.ts";
import { isArray, type RegoValue } from "../values.ts";
import type { Builtin, BuiltinContext } from "./contract.ts";
import { compileGlob, type Glob, GlobSyntaxError } from "./go/glob-pattern.ts";
import { inStretches } from "./go/stretches.ts";
import { refuseLongPattern } from "./limits.ts";
import { builtin, failure, operand, textOperand, wrongElement, wrongType } from "./operands.ts";

const DOT: readonly string[] = ["."];

/** What `*` and `?` do not cross: `.` by default, nothing when null is given. */
function separatorsOperand(args: readonly RegoValue[]): readonly string[] {
  const value = operand(args, 2);
  if (value === null) {
    return [];
  }
  if (!isArray(value)) {
    throw wrongType(2, value, "array", "null");
  }
  const separators = value.map((item) => {
    if (typeof item !== "string") {
      throw wrongElement(2, value, item, "string");
    }
    if (Array.from(item).length !== 1) {
      throw wrongElement(2, value, item, "rune");
    }
    return item;
  });
  return separators.length === 0 ? DOT : separators;
}

function compiled(pattern: string, separators: readonly string[], context: BuiltinContext): Glob {
  const key = `glob.match:${separators.join("")}:${pattern}`;
  const known = context.cache.get(key);
  if (isGlob(known)) {
    return known;
  }
  refuseLongPattern(pattern);
  context.spend(1 + pattern.length);
  try {
    const glob = compileGlob(flatCopy(pattern), separators.map(flatCopy));
    context.cache.set(key, glob, 1 + pattern.length);
    return glob;
  } catch (error) {
    throw error instanceof GlobSyntaxError ? failure(error.message, error) : error;
  }
}

function isGlob(value: unknown): value is Glob {
  return typeof value === "object" && value !== null && "matches" in value;
}

function match(args: readonly RegoValue[], context: BuiltinContext): boolean {
  const pattern = textOperand(args, 1);
  const separators = separatorsOperand(args);
  const text = textOperand(args, 3);
  return compiled(pattern, separators, context).matches(text, context.spend);
}

const META = /[*?\\[\]{}]/g;

export const globBuiltins: readonly Builtin[] = [
  builtin("glob.match", 3, match),
  builtin("glob.quote_meta", 1, (args) =>
    inStretches(textOperand(args, 1), (part) => part.replace(META, "\\$&")),
  ),
];

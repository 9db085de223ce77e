import type { Eval, Node } from "../frame.ts";
import { programOf } from "./shape.ts";
import { LongSourceError, SourceWriter } from "./source-writer.ts";

/**
 * A program as one JavaScript function; undefined where it cannot be: it is too long, or the process allows no code
 * from strings. It gives the values, errors and costs of the closures, which it falls back on for all that is rare.
 */
export function generated(node: Node): Eval | undefined {
  if (node.write === undefined) return undefined;
  try {
    const writer = new SourceWriter();
    const { source, keys, bound } = writer.finish(writer.value(node));
    return programOf(source, keys, bound);
  } catch (error) {
    // EvalError: --disallow-code-generation-from-strings. RangeError: nested too deeply for the stack that is left.
    if (error instanceof LongSourceError || error instanceof EvalError || error instanceof RangeError)
      return undefined;
    throw error;
  }
}

/** When a program is worth generating, and how many at a time. A test may set it so that all are, at once. */
export const generationPace = {
  /** Evaluations of the program by closures before. */
  warmUp: 32,
  /** Evaluations of any program between two, so that no request waits for more than a few. */
  between: 32,
};

let sinceLast = 0;

/** To be asked at each evaluation of a program that is not generated. */
export function isToBeGenerated(evaluations: number): boolean {
  sinceLast++;
  if (evaluations < generationPace.warmUp || sinceLast < generationPace.between) return false;
  sinceLast = 0;
  return true;
}

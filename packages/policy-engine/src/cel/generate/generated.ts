import { LongSourceError } from "../../generate/code-writer.ts";
import { Shapes } from "../../generate/shapes.ts";
import type { Eval, Node } from "../frame.ts";
import { SourceWriter } from "./source-writer.ts";

const shapes = new Shapes<Eval>();

/**
 * A program as one JavaScript function; undefined where it cannot be: it is too long, or the process allows no code
 * from strings. It gives the values, errors and costs of the closures, which it falls back on for all that is rare.
 */
export function generated(node: Node): Eval | undefined {
  if (node.write === undefined) return undefined;
  try {
    const writer = new SourceWriter();
    return shapes.functionOf(writer.finish(writer.value(node)));
  } catch (error) {
    // EvalError: --disallow-code-generation-from-strings. RangeError: nested too deeply for the stack that is left.
    if (error instanceof LongSourceError || error instanceof EvalError || error instanceof RangeError)
      return undefined;
    throw error;
  }
}

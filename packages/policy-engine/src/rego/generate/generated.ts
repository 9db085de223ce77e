import { LongSourceError, maxSource } from "../../generate/code-writer.ts";
import { Shapes } from "../../generate/shapes.ts";
import type { CompiledPlan } from "../evaluate/compile.ts";
import { type Callees, type CompiledFunction, conflictMessage } from "../evaluate/function.ts";
import { nestedBlocks } from "../plan/made-arrays.ts";
import type { Block, Plan, PlanFunction, RegoPlan } from "../plan/statements.ts";
import { FunctionWriter } from "./function-writer.ts";
import { writeBlocks } from "./write-block.ts";

type Code = CompiledFunction["code"];

const shapes = new Shapes<Code>();

/** Characters written for one plan: a request must not wait for more. What is left stays closures. */
const maxPlanSource = 2 * maxSource;

/** Statements beyond which a plan would be too long: nobody looks at more while a request waits. */
const mostStatements = 5_000;

/** Whether the plan may be made code of at all. */
export function mayBeGenerated({ functions, plans }: RegoPlan): boolean {
  let left = mostStatements;
  const open = [...functions, ...plans].flatMap(({ blocks }) => blocks);
  for (let block = open.pop(); block && left >= 0; block = open.pop()) {
    // An empty block is something to look at as well.
    left -= 1 + block.statements.length;
    if (left >= 0) for (const statement of block.statements) open.push(...nestedBlocks(statement));
  }
  return left >= 0;
}

/**
 * Makes the functions and queries of a plan JavaScript functions, as far as they can be: not those that would be long, and
 * none where the process allows no code from strings. They give the values, errors and work of the closures.
 */
export function generatePlan(plan: RegoPlan, { callees, queries }: CompiledPlan): void {
  const generator = new Generator(callees);
  try {
    for (const query of plan.plans) {
      const code = generator.query(query);
      const compiled = queries.get(query.name);
      if (code !== undefined && compiled !== undefined)
        compiled.run = (run) => void code(run, run.world.input, run.world.data);
    }
    for (const source of plan.functions) {
      const code = generator.function(source);
      if (code !== undefined) callees.functions.get(source.name)?.generated(code);
    }
  } catch (error) {
    // EvalError: --disallow-code-generation-from-strings. RangeError: nested too deeply for the stack that is left.
    if (!(error instanceof EvalError || error instanceof RangeError)) throw error;
  }
}

class Generator {
  readonly #callees: Callees;
  #left = maxPlanSource;

  constructor(callees: Callees) {
    this.#callees = callees;
  }

  function(source: PlanFunction): Code | undefined {
    return this.#code(source.blocks, source.params, { conflict: conflictMessage(source), isFunction: true });
  }

  query({ blocks }: Plan): Code | undefined {
    return this.#code(blocks, [0, 1], { conflict: conflictMessage(undefined), isFunction: false });
  }

  /** Undefined where it would be too long. */
  #code(
    blocks: readonly Block[],
    params: readonly number[],
    { conflict, isFunction }: { readonly conflict: string; readonly isFunction: boolean },
  ): Code | undefined {
    const end = isFunction ? "r.exit();" : "";
    const limit = Math.min(maxSource, this.#left);
    const writer = new FunctionWriter(this.#callees, params, blocks, { conflict, end, limit });
    try {
      if (isFunction) writer.line("r.enter();");
      writeBlocks(writer, blocks);
      return shapes.functionOf(writer.finish());
    } catch (error) {
      if (!(error instanceof LongSourceError)) throw error;
      return undefined;
    } finally {
      this.#left = Math.max(0, this.#left - writer.length);
    }
  }
}

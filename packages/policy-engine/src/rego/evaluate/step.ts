/** How a compiled plan runs: one closure a statement, over an array of variables. */
import type { Statement } from "../plan/statements.ts";
import type { RegoValue } from "../values.ts";
import type { Run } from "./run.ts";

/** Variables of one call of a function; undefined is Rego's undefined. */
export type Locals = (RegoValue | undefined)[];

/**
 * Runs one statement. Answers what comes next: 0 goes on, 1 leaves the innermost block (a statement was undefined),
 * 2 the one around it and so on, `returned` ends the function.
 */
export type Step = (locals: Locals, run: Run) => number;

export const goOn = 0;
export const leave = 1;
export const returned = -1;

/** Asked once for each statement; what it returns is called each time before that statement runs. */
export type Observe = (statement: Statement) => (() => void) | undefined;

export type Read = (locals: Locals) => RegoValue | undefined;

/** Runs statements until one of them leaves; answers as a step does. */
export function sequence(steps: readonly Step[]): Step {
  const [first, second, third] = steps;
  if (!first) return () => goOn;
  if (!second) return first;
  if (!third) return (locals, run) => first(locals, run) || second(locals, run);
  if (steps.length === 3)
    return (locals, run) => first(locals, run) || second(locals, run) || third(locals, run);
  return (locals, run) => {
    for (const step of steps) {
      const next = step(locals, run);
      if (next !== goOn) return next;
    }
    return goOn;
  };
}

/** What the statement after a block hears of how the block ended. */
export function afterBlock(next: number): number {
  return next > 0 ? next - 1 : next;
}

/** The step, seen by whoever wants to. */
export function observed(statement: Statement, step: Step, observe: Observe | undefined): Step {
  const see = observe?.(statement);
  if (see === undefined) return step;
  return (locals, run) => {
    see();
    return step(locals, run);
  };
}

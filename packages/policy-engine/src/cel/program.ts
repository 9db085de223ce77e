import { isToBeGenerated } from "../generate/pace.ts";
import type { Ast } from "./ast.ts";
import type { CheckedAst } from "./checked.ts";
import { Compiler } from "./compiler.ts";
import type { CelEnvironment } from "./environment.ts";
import { CelAbort, CelError, CelWorkError } from "./errors.ts";
import {
  type Activation,
  type EmptySlots,
  type Eval,
  type EvaluateOptions,
  emptySlots,
  Frame,
  type Node,
} from "./frame.ts";
import { generated } from "./generate/generated.ts";
import { ObservedCompiler, type Observer } from "./observed.ts";
import type { CelValue } from "./values.ts";
import { countWith } from "./work.ts";

export interface Evaluation {
  readonly value: CelValue;
  /** In cel-go's units, of which one is meant to take about 50 ns. */
  readonly cost: number;
}

/** How an evaluation ended; what it cost is known either way. */
export type Outcome =
  | { readonly kind: "value"; readonly value: CelValue; readonly error?: undefined; readonly cost: number }
  | {
      readonly kind: "error";
      readonly value?: undefined;
      readonly error: CelError | CelAbort;
      readonly cost: number;
    };

const NO_OPTIONS: EvaluateOptions = {};

/**
 * An expression ready to be evaluated, as often as wanted and without any state kept between. It is closures at first;
 * one that is evaluated again and again becomes code of its own.
 */
export class Program {
  #run: Eval;
  /** What to make code of; undefined when that was tried. */
  #node: Node | undefined;
  #evaluations = 0;
  readonly #slots: EmptySlots;

  constructor(node: Node, slotCount: number) {
    this.#node = node;
    this.#run = node.run;
    this.#slots = emptySlots(slotCount);
  }

  /** Throws `CelError` when there is no value, and `CelAbort` when the budget, the time or an answer was lacking. */
  evaluate(activation: Activation, options: EvaluateOptions = NO_OPTIONS): Evaluation {
    const outcome = this.tryEvaluate(activation, options);
    if (outcome.kind === "error") throw outcome.error;
    return { value: outcome.value, cost: outcome.cost };
  }

  tryEvaluate(activation: Activation, options: EvaluateOptions = NO_OPTIONS): Outcome {
    const frame = new Frame(activation, this.#slots, options);
    const value = this.valueIn(frame);
    if (value !== undefined) return { kind: "value", value, cost: frame.cost };
    const { failure = new CelError("no value"), cost } = frame;
    return { kind: "error", error: failure, cost };
  }

  /** Evaluates in a frame that is ready for it. undefined: there is no value, and `frame.failure` says why. */
  valueIn(frame: Frame): CelValue | undefined {
    if (this.#node !== undefined && isToBeGenerated(this.#evaluations++)) this.#generate(this.#node);
    const outer = countWith(frame);
    try {
      const value = this.#run(frame);
      frame.checkCost();
      return value;
    } catch (error) {
      frame.failure = evaluationError(frame, error);
      return undefined;
    } finally {
      countWith(outer);
    }
  }

  /** Places a frame must have for it. */
  get slotCount(): number {
    return this.#slots.length;
  }

  #generate(node: Node): void {
    this.#node = undefined;
    // What making the code takes is not the evaluation's that happens to be under way: its budget is for what it reads.
    const outer = countWith(undefined);
    try {
      this.#run = generated(node) ?? node.run;
    } finally {
      countWith(outer);
    }
  }
}

function evaluationError(frame: Frame, error: unknown): CelError | CelAbort {
  if (error instanceof CelAbort) return error;
  if (error instanceof CelError) {
    // A budget that ran out before the error was met goes first, as it would have ended the evaluation then.
    try {
      frame.checkCost();
    } catch (abort) {
      if (abort instanceof CelAbort) return abort;
    }
    return error;
  }
  // Expressions and values are bounded in depth, but the stack may have been half used up by the caller.
  if (error instanceof RangeError)
    return isStackOverflow(error) ? new CelError("expression nested too deeply") : new CelWorkError();
  throw error;
}

/** Other range errors are of strings and buffers that would be too long. */
const isStackOverflow = (error: RangeError): boolean => error.message.includes("call stack");

/**
 * Makes a program of a parsed or, better, a checked expression. Throws `CelError` for a conversion of a constant that
 * cannot be (`int("x")`), as the API server refuses such an expression. `observer` is told what its parts come to.
 */
export function compile(ast: Ast | CheckedAst, env: CelEnvironment, observer?: Observer): Program {
  const checked = "references" in ast ? ast : undefined;
  const compiler =
    observer === undefined ? new Compiler(env, checked) : new ObservedCompiler(observer, env, checked);
  const node = compiler.compile(ast.expr);
  return new Program(node, compiler.slotCount);
}

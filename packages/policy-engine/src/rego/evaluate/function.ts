/** What compiling the statements of one function shares. */

import type { Builtin } from "../builtins/contract.ts";
import type { Operand, PlanFunction } from "../plan/statements.ts";
import type { RegoValue } from "../values.ts";
import type { Run } from "./run.ts";
import type { SharedRule } from "./sharing.ts";
import type { Locals, Observe, Read } from "./step.ts";

/** Variables as arguments. */
export type Arguments = readonly (RegoValue | undefined)[];

/** A function of the plan, compiled. What it does is set once all are known, as they call each other. */
export class CompiledFunction {
  readonly name: string;
  /** Position, by which values are remembered. */
  readonly index: number;
  readonly arity: number;
  /** Closures and generated code call each other: each way to call it leads to the one that was made. */
  body: (args: Arguments, run: Run) => RegoValue | undefined = () => undefined;
  code: (run: Run, ...args: (RegoValue | undefined)[]) => RegoValue | undefined = (run, ...args) =>
    this.body(args, run);
  /** Of a rule whose value may be that of another policy's. */
  shared: SharedRule | undefined;

  constructor(name: string, index: number, arity: number) {
    this.name = name;
    this.index = index;
    this.arity = arity;
  }

  generated(code: CompiledFunction["code"]): void {
    this.code = code;
    this.body = (args, run) => code(run, ...args);
  }
}

export interface Callees {
  readonly functions: ReadonlyMap<string, CompiledFunction>;
  readonly builtins: ReadonlyMap<string, Builtin>;
  /** The function at a path of the data tree, for dynamic calls. */
  readonly at: (path: readonly RegoValue[]) => CompiledFunction | undefined;
  /** Left out, nobody watches, and watching costs nothing. */
  readonly observe?: Observe | undefined;
}

/** Gives the variables of one function consecutive places, so that a call allocates no more than it uses. */
export class FunctionScope {
  readonly callees: Callees;
  /** Absent for the body of a query. */
  readonly function: PlanFunction | undefined;
  readonly #slots = new Map<number, number>();

  constructor(callees: Callees, compiled?: PlanFunction) {
    this.callees = callees;
    this.function = compiled;
    // The input and data documents keep their places, whether used or not.
    this.slot(0);
    this.slot(1);
  }

  get size(): number {
    return this.#slots.size;
  }

  slot(local: number): number {
    const known = this.#slots.get(local);
    if (known !== undefined) return known;
    const slot = this.#slots.size;
    this.#slots.set(local, slot);
    return slot;
  }

  read(operand: Operand): Read {
    if (operand.kind === "constant") {
      const { value } = operand;
      return () => value;
    }
    const slot = this.slot(operand.local);
    return (locals: Locals) => locals[slot];
  }
}

/** What a complete rule or function that is given two values says; without one, a query. */
export function conflictMessage(source: PlanFunction | undefined): string {
  const name = source?.name.replace(/^g\d+\./, "") ?? "query";
  return (source?.params.length ?? 0) > 2
    ? `function ${name} produced conflicting values for the same inputs`
    : `rule ${name} produced conflicting values`;
}

/** What compiling the statements of one function shares. */

import type { Builtin } from "../builtins/contract.ts";
import type { Operand, PlanFunction } from "../plan/statements.ts";
import type { RegoValue } from "../values.ts";
import type { Run } from "./run.ts";
import type { Locals, Read } from "./step.ts";

/** A function of the plan, compiled. Its body is set once all are known, as they call each other. */
export interface CompiledFunction {
  readonly name: string;
  /** Position, by which values are remembered. */
  readonly index: number;
  readonly arity: number;
  body: (args: readonly (RegoValue | undefined)[], run: Run) => RegoValue | undefined;
}

export interface Callees {
  readonly functions: ReadonlyMap<string, CompiledFunction>;
  readonly builtins: ReadonlyMap<string, Builtin>;
  /** The function at a path of the data tree, for dynamic calls. */
  readonly at: (path: readonly RegoValue[]) => CompiledFunction | undefined;
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

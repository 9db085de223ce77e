import { CodeWriter } from "../../generate/code-writer.ts";
import type { Callees, CompiledFunction } from "../evaluate/function.ts";
import { assigned, nestedBlocks } from "../plan/made-arrays.ts";
import type { Block, Operand, Statement } from "../plan/statements.ts";

/**
 * Writes JavaScript for a function of a plan, or for a query. Variables of the plan are variables of the function, named
 * in the order in which they come; blocks are labelled, and what leaves one breaks to its label. `r` is the run.
 */
export class FunctionWriter extends CodeWriter {
  readonly callees: Callees;
  /** What a function that is given two values says. */
  readonly conflict: string;
  /** Blocks the closures would be in. */
  depth = 0;
  readonly #params: readonly string[];
  /** The variables of input and data; undefined where the function changes them. */
  readonly #documents: readonly number[] | undefined;
  readonly #kept = new Map<CompiledFunction, string>();
  readonly #locals = new Map<number, string>();
  /** Labels, that of the innermost block last. */
  readonly #labels: string[] = [];
  readonly #end: string;
  #temporaries = 0;

  /** @param end what is to be done before the function is left */
  constructor(
    callees: Callees,
    params: readonly number[],
    blocks: readonly Block[],
    options: { readonly conflict: string; readonly end: string; readonly limit: number },
  ) {
    super(options.limit);
    this.callees = callees;
    this.conflict = options.conflict;
    this.#end = options.end;
    const documents = params.slice(0, 2);
    this.#documents = documents.length === 2 && !changes(blocks, documents) ? documents : undefined;
    this.#params = params.map((local, at) => {
      const name = `l${at}`;
      this.#locals.set(local, name);
      return name;
    });
  }

  local(number: number): string {
    const known = this.#locals.get(number);
    if (known !== undefined) return known;
    const name = this.variable(`l${this.#locals.size}`);
    this.#locals.set(number, name);
    return name;
  }

  operand(operand: Operand): string {
    if (operand.kind === "local") return this.local(operand.local);
    const { value } = operand;
    return typeof value === "boolean" ? String(value) : this.parameter(value);
  }

  /** Whether a call passes on the input and data documents of the function itself. */
  isAboutDocuments({ args }: Statement<"CallStmt">): boolean {
    return this.#documents?.every((local, at) => isLocal(args[at], local)) ?? false;
  }

  /** A variable for what a rule came to. */
  kept(rule: CompiledFunction): string {
    const known = this.#kept.get(rule);
    if (known !== undefined) return known;
    const name = this.variable(`q${this.#kept.size}`);
    this.#kept.set(rule, name);
    return name;
  }

  temporary(): string {
    return this.variable(`t${this.#temporaries++}`);
  }

  /** Statements in a block of their own, which `leave` leaves. */
  block(write: () => void): void {
    const label = this.label();
    this.line(`${label}:{`);
    this.#labels.push(label);
    this.deeper(write);
    this.#labels.pop();
    this.line("}");
  }

  /** Statements in what the plan has as a block, but which is left with the one around it. */
  deeper(write: () => void): void {
    this.depth++;
    write();
    this.depth--;
  }

  /** Leaves so many blocks: by one the innermost. Beyond the outermost the function ends. */
  leave(levels = 1): string {
    const label = this.#labels[this.#labels.length - levels];
    return label === undefined ? this.return("undefined") : `break ${label};`;
  }

  leaveIf(condition: string): void {
    this.line(`if(${condition})${this.leave()}`);
  }

  return(value: string): string {
    return `{${this.#end}return ${value};}`;
  }

  finish() {
    return this.text(["r", ...this.#params], this.#end);
  }
}

function isLocal(operand: Operand | undefined, local: number): boolean {
  return operand?.kind === "local" && operand.local === local;
}

/** Whether these blocks, or blocks within them, give one of the variables another value. */
function changes(blocks: readonly Block[], locals: readonly number[]): boolean {
  return blocks.some(({ statements }) =>
    statements.some(
      (statement) =>
        assigned(statement).some((local) => locals.includes(local)) ||
        changes(nestedBlocks(statement), locals),
    ),
  );
}

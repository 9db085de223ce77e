/**
 * Which rules of a plan come to the same for the same input, whatever the policy they stand in: clusters have modules by
 * the hundred that each bring the same `containers`.
 */
import { createHash } from "node:crypto";
import { Interned } from "../../interned.ts";
import { assigned, nestedBlocks } from "../plan/made-arrays.ts";
import {
  type Block,
  type FieldKind,
  type Operand,
  type PlanFunction,
  type RegoPlan,
  type Statement,
  statementFields,
} from "../plan/statements.ts";
import type { CompiledFunction } from "./function.ts";
import { SharedRule } from "./sharing.ts";

/** Statements of a function beyond which nobody asks whether another has the same. */
const mostStatements = 5_000;
/** Calls within calls. */
const mostHeight = 100;
/** Functions that a rule calls by itself or through others. */
const mostReached = 1_000;

/** One for all policies that have the rule. */
const sharedRules = new Interned<SharedRule>();

/** What the value of a function hangs on; undefined where that is more than its input and its arguments. */
interface Traits {
  readonly digest: string;
  /** Members of the input; undefined where it may look at all. */
  readonly inputKeys: ReadonlySet<string> | undefined;
  readonly callsBuiltins: boolean;
  readonly height: number;
  /** Functions of the plan it calls, in order. */
  readonly callees: readonly PlanFunction[];
}

/** Tells each rule that may have its value in common with others'. */
export function findSharing(plan: RegoPlan, functions: ReadonlyMap<string, CompiledFunction>): void {
  if (!isTame(plan)) return;
  const sources = new Map(plan.functions.map((source) => [source.name, source]));
  const finder = new TraitsFinder(sources);
  const rules = plan.functions.filter(({ params }) => params.length === 2);
  const doubles = doublesOf(rules, finder);
  for (const source of rules) {
    const compiled = functions.get(source.name);
    const traits = finder.traitsOf(source);
    if (compiled !== undefined && traits !== undefined && !reaches(doubles, source, finder))
      compiled.shared = sharedRule(traits);
  }
}

function sharedRule({ digest, height, inputKeys, callsBuiltins }: Traits): SharedRule {
  const known = sharedRules.get(digest);
  if (known !== undefined) return known;
  const isConstant = inputKeys?.size === 0 && !callsBuiltins;
  const made = new SharedRule({ height, isConstant, inputKeys });
  sharedRules.add(digest, made);
  return made;
}

/** Rules that one plan has twice: it is charged for both, so nothing that asks for them is as elsewhere. */
function doublesOf(rules: readonly PlanFunction[], finder: TraitsFinder): Set<PlanFunction> {
  const first = new Map<string, PlanFunction>();
  const doubles = new Set<PlanFunction>();
  for (const rule of rules) {
    const digest = finder.traitsOf(rule)?.digest ?? rule.name;
    const known = first.get(digest);
    if (known === undefined) first.set(digest, rule);
    else doubles.add(known).add(rule);
  }
  return doubles;
}

/** Whether a function is one of these, or calls one. */
function reaches(some: ReadonlySet<PlanFunction>, source: PlanFunction, finder: TraitsFinder): boolean {
  if (some.size === 0) return false;
  const seen = new Set<PlanFunction>([source]);
  for (const each of seen) {
    if (some.has(each) || seen.size > mostReached) return true;
    for (const callee of finder.traitsOf(each)?.callees ?? []) seen.add(callee);
  }
  return false;
}

class TraitsFinder {
  readonly #sources: ReadonlyMap<string, PlanFunction>;
  /** null while it is looked for: a function that calls itself. */
  readonly #known = new Map<PlanFunction, Traits | undefined | null>();

  constructor(sources: ReadonlyMap<string, PlanFunction>) {
    this.#sources = sources;
  }

  traitsOf(source: PlanFunction, depth = 0): Traits | undefined {
    if (this.#known.has(source)) return this.#known.get(source) ?? undefined;
    this.#known.set(source, null);
    const traits =
      depth >= mostHeight || new Set(source.params).size < Math.max(2, source.params.length)
        ? undefined
        : new FunctionReader(source, (name) => {
            const callee = this.#sources.get(name);
            return callee && { callee, traits: this.traitsOf(callee, depth + 1) };
          }).read();
    this.#known.set(source, traits);
    return traits;
  }
}

/** Thrown, and caught here, as soon as a statement shows that the function's value hangs on more. */
class NotShareable extends Error {}

type LookUp = (
  name: string,
) => { readonly callee: PlanFunction; readonly traits: Traits | undefined } | undefined;

/** Writes down what one function does, with what it calls, without the names that differ from policy to policy. */
class FunctionReader {
  readonly #source: PlanFunction;
  readonly #lookUp: LookUp;
  readonly #locals = new Map<number, number>();
  readonly #callees: PlanFunction[] = [];
  readonly #input: number | undefined;
  readonly #data: number | undefined;
  #statements = 0;
  #inputKeys: Set<string> | undefined = new Set();
  #callsBuiltins = false;
  #height = 1;

  constructor(source: PlanFunction, lookUp: LookUp) {
    this.#source = source;
    this.#lookUp = lookUp;
    [this.#input, this.#data] = source.params;
    for (const local of source.params) this.#number(local);
  }

  read(): Traits | undefined {
    try {
      const content = [this.#source.params.length, this.#blocks(this.#source.blocks)];
      const digest = createHash("sha256").update(JSON.stringify(content)).digest("base64");
      return {
        digest,
        inputKeys: this.#inputKeys,
        callsBuiltins: this.#callsBuiltins,
        height: this.#height,
        callees: this.#callees,
      };
    } catch (error) {
      if (error instanceof NotShareable) return undefined;
      throw error;
    }
  }

  #blocks(blocks: readonly Block[]): unknown {
    return blocks.map((block) => block.statements.map((statement) => this.#statement(statement)));
  }

  #statement(statement: Statement): unknown {
    if (++this.#statements > mostStatements) throw new NotShareable();
    switch (statement.kind) {
      case "CallDynamicStmt":
      case "WithStmt":
      case "ResultSetAddStmt":
        throw new NotShareable();
      case "CallStmt":
        return this.#call(statement);
      case "DotStmt":
        return this.#dot(statement);
      default:
        return this.#fields(statement);
    }
  }

  #call(statement: Statement<"CallStmt">): unknown {
    const found = this.#lookUp(statement.func);
    if (found === undefined) {
      this.#callsBuiltins = true;
      return this.#fields(statement);
    }
    const { callee, traits } = found;
    if (traits === undefined) throw new NotShareable();
    const [input, data, ...args] = statement.args;
    // It must be asked about the very documents this one is asked about.
    if (!isLocal(input, this.#input) || !isLocal(data, this.#data)) throw new NotShareable();
    if (traits.inputKeys === undefined) this.#inputKeys = undefined;
    else for (const key of traits.inputKeys) this.#inputKeys?.add(key);
    this.#callsBuiltins ||= traits.callsBuiltins;
    this.#height = Math.max(this.#height, traits.height + 1);
    this.#callees.push(callee);
    const read = args.map((operand) => this.#operand(operand));
    return ["call", traits.digest, read, this.#written(statement.result)];
  }

  /** One member of the input is not all of it. */
  #dot(statement: Statement<"DotStmt">): unknown {
    const { source, key, target } = statement;
    if (!isLocal(source, this.#input) || key.kind !== "constant") return this.#fields(statement);
    this.#inputKeys?.add(String(key.value));
    return ["input", key.value, this.#written(target)];
  }

  #fields(statement: Statement): unknown {
    const parts: unknown[] = [statement.kind];
    for (const [name, kind] of Object.entries<FieldKind>(statementFields[statement.kind]))
      parts.push(this.#field(kind, name, Reflect.get(statement, name)));
    return parts;
  }

  #field(kind: FieldKind, name: string, value: unknown): unknown {
    switch (kind) {
      case "operand":
        return this.#operand(value as Operand);
      case "operands":
        return (value as readonly Operand[]).map((operand) => this.#operand(operand));
      case "local":
        return readLocals.has(name) ? this.#read(value as number) : this.#written(value as number);
      case "locals":
        return (value as readonly number[]).map((local) => this.#read(local));
      case "block":
        return this.#blocks([value as Block]);
      case "blocks":
        return this.#blocks(value as readonly Block[]);
      default:
        return value;
    }
  }

  #operand(operand: Operand): unknown {
    return operand.kind === "constant" ? [operand.value] : this.#read(operand.local);
  }

  #read(local: number): number {
    if (local === this.#data) throw new NotShareable();
    if (local === this.#input) this.#inputKeys = undefined;
    return this.#number(local);
  }

  #written(local: number): number {
    if (local === this.#data || local === this.#input) throw new NotShareable();
    return this.#number(local);
  }

  #number(local: number): number {
    const number = this.#locals.get(local) ?? this.#locals.size;
    this.#locals.set(local, number);
    return number;
  }
}

function isLocal(operand: Operand | undefined, local: number | undefined): boolean {
  return operand?.kind === "local" && operand.local === local;
}

/** Fields of kind `local` that are only looked at. What is filled counts as written: it is no document. */
const readLocals: ReadonlySet<string> = new Set(["source", "a", "b"]);

/**
 * Whether the plan fills only sets and objects that the same call of a function made. Others may be part of a value that
 * another policy has, too; then this plan shares nothing.
 */
function isTame({ functions, plans }: RegoPlan): boolean {
  return (
    functions.every(({ params, blocks }) => fillsItsOwn(blocks, params)) &&
    plans.every(({ blocks }) => fillsItsOwn(blocks, [0, 1]))
  );
}

/** Statements that make something new to be filled. */
const makers: ReadonlySet<Statement["kind"]> = new Set(["MakeSetStmt", "MakeObjectStmt", "ResetLocalStmt"]);

function fillsItsOwn(blocks: readonly Block[], params: readonly number[]): boolean {
  const filled = new Set<number>();
  const foreign = new Set(params);
  const open = [...blocks];
  for (let block = open.pop(); block; block = open.pop()) {
    for (const statement of block.statements) {
      if (statement.kind === "SetAddStmt") filled.add(statement.set);
      else if (statement.kind === "ObjectInsertStmt" || statement.kind === "ObjectInsertOnceStmt")
        filled.add(statement.object);
      else if (!makers.has(statement.kind)) for (const local of assigned(statement)) foreign.add(local);
      open.push(...nestedBlocks(statement));
    }
  }
  for (const local of filled) if (foreign.has(local)) return false;
  return true;
}

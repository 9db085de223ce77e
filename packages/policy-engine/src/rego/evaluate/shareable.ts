/**
 * Which rules of a plan come to the same for the same input, whatever the policy they stand in: clusters have modules by
 * the hundred that each bring the same `containers`.
 */
import { createHash } from "node:crypto";
import { Interned } from "../../interned.ts";
import { nestedBlocks } from "../plan/made-arrays.ts";
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
import { SharedRule, type Sharing } from "./sharing.ts";

/** Statements of a function beyond which nobody asks whether another has the same. */
const mostStatements = 5_000;
/** Calls within calls. */
const mostHeight = 100;
/** Calls that a rule makes by itself or through functions. */
const mostCalls = 1_000;

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
  for (const source of plan.functions) {
    const compiled = functions.get(source.name);
    if (compiled?.arity !== 2) continue;
    compiled.sharing = sharingOf(source, finder, functions);
  }
}

function sharingOf(
  source: PlanFunction,
  finder: TraitsFinder,
  functions: ReadonlyMap<string, CompiledFunction>,
): Sharing | undefined {
  const traits = finder.traitsOf(source);
  const calls = traits && callsOf(source, finder);
  if (traits === undefined || calls === undefined) return undefined;
  const reach = calls.rules.flatMap(({ name }) => functions.get(name) ?? []);
  const { inputKeys, height } = traits;
  const isConstant = inputKeys?.size === 0 && !traits.callsBuiltins;
  // Which calls are of one rule decides what is charged, so it tells rules apart as well.
  const digest = `${traits.digest} ${calls.order.join()}`;
  return { rule: sharedRule(digest), reach, height, isConstant, inputKeys };
}

function sharedRule(digest: string): SharedRule {
  const known = sharedRules.get(digest);
  if (known !== undefined) return known;
  const made = new SharedRule();
  sharedRules.add(digest, made);
  return made;
}

/**
 * The rules that a rule asks for itself or through functions, each once, and the order of all such calls, as numbers of
 * what is called. Undefined where there are too many.
 */
function callsOf(source: PlanFunction, finder: TraitsFinder) {
  const numbers = new Map<PlanFunction, number>();
  const order: number[] = [];
  const visit = (from: PlanFunction): void => {
    for (const callee of finder.traitsOf(from)?.callees ?? []) {
      if (order.length >= mostCalls) return;
      const known = numbers.get(callee);
      order.push(known ?? numbers.size);
      if (known !== undefined) continue;
      numbers.set(callee, numbers.size);
      if (callee.params.length !== 2) visit(callee);
    }
  };
  visit(source);
  if (order.length >= mostCalls) return undefined;
  return { order, rules: [...numbers.keys()].filter(({ params }) => params.length === 2) };
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
  readonly #calleeNumbers = new Map<PlanFunction, number>();
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
    const number = this.#calleeNumbers.get(callee) ?? this.#calleeNumbers.size;
    this.#calleeNumbers.set(callee, number);
    const read = args.map((operand) => this.#operand(operand));
    return ["call", number, traits.digest, read, this.#written(statement.result)];
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
      else if (!makers.has(statement.kind)) for (const local of writtenBy(statement)) foreign.add(local);
      open.push(...nestedBlocks(statement));
    }
  }
  for (const local of filled) if (foreign.has(local)) return false;
  return true;
}

/** Variables that a statement gives another value. */
function writtenBy(statement: Statement): readonly number[] {
  if (statement.kind === "WithStmt") return [statement.local];
  if (statement.kind === "ResultSetAddStmt") return [];
  return Object.entries<FieldKind>(statementFields[statement.kind]).flatMap(([name, kind]) => {
    const local: unknown = Reflect.get(statement, name);
    return kind === "local" && !readLocals.has(name) && typeof local === "number" ? [local] : [];
  });
}

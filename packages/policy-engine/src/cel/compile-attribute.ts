import { type Expr, type IdentExpr, OPERATOR } from "./ast.ts";
import { type Compiler, isAccess, type Local } from "./compiler.ts";
import { CelError } from "./errors.ts";
import {
  checkKey,
  hasField,
  optionalOf,
  readField,
  readFieldIfPresent,
  readIndex,
  readIndexIfPresent,
} from "./fields.ts";
import { constantNode, type Eval, type Frame, type Node, Thrown, type Write } from "./frame.ts";
import { writeFields, writeVariable } from "./generate/write-attribute.ts";
import { spelledName } from "./spelled-name.ts";
import { CelOptional, type CelValue } from "./values.ts";

/** One step from a value into it. */
interface Step {
  /** A field name, or what makes the key. */
  readonly key: string | Node;
  readonly isOptional: boolean;
  readonly isTest: boolean;
}

/**
 * A variable and the chain of fields and keys that follows it, as one: cel-go calls that an attribute, and counts one
 * for it and one for every step.
 */
export function compileAttribute(compiler: Compiler, expr: Expr, cost: number): Node {
  const { root, chain } = unfold(compiler, expr);
  const steps = chain.map((part) => stepOf(compiler, part)).reverse();
  const isTest = steps[steps.length - 1]?.isTest === true;
  const start = compileRoot(compiler, root, steps.length > 0 ? (isTest ? 0 : cost) : cost);
  if (steps.length === 0) return start;
  const run = runSteps(start.run, steps);
  return { run, write: writeSteps(start, steps, isTest, run) };
}

function runSteps(start: Eval, steps: readonly Step[]): Eval {
  const names = steps.map((step) => (step.isOptional || step.isTest ? undefined : step.key));
  if (names.every((name) => typeof name === "string")) return selectFields(start, names);
  let run = start;
  let isOptional = false;
  for (const [index, step] of steps.entries()) {
    // An optional that a field holds is not looked into: cel-go unwraps what the chain starts from, and no more.
    const from = index === 0 || isOptional ? run : withoutOptional(run);
    run = takeStep(from, step, isOptional, index === steps.length - 1);
    isOptional ||= step.isOptional;
  }
  return run;
}

function writeSteps({ raw }: Node, steps: readonly Step[], isTest: boolean, run: Eval): Write | undefined {
  if (raw === undefined) return undefined;
  const names = steps.map(({ key, isOptional }) =>
    isOptional ? undefined : typeof key === "string" ? key : key.constant,
  );
  return names.every((name) => typeof name === "string") ? writeFields(raw, names, isTest, run) : undefined;
}

/** Splits a chain into what it starts from and its steps, the last one first. */
function unfold(compiler: Compiler, expr: Expr): { root: Expr; chain: Expr[] } {
  const chain: Expr[] = [];
  let root = expr;
  for (;;) {
    if (
      root.kind === "select" &&
      (root === expr || !root.isTest) &&
      qualifiedName(compiler, root) === undefined
    ) {
      chain.push(root);
      root = root.operand;
    } else if (root.kind === "call" && isAccess(root) && root.args[0] !== undefined) {
      chain.push(root);
      root = root.args[0];
    } else {
      return { root, chain };
    }
  }
}

function stepOf(compiler: Compiler, expr: Expr): Step {
  if (expr.kind === "select") return { key: expr.field, isOptional: false, isTest: expr.isTest };
  if (expr.kind !== "call" || expr.args[1] === undefined) throw new TypeError("not a step of an attribute");
  const key = compiler.compile(expr.args[1], 0);
  const isOptional = expr.name !== OPERATOR.index;
  const constant = key.constant;
  // Throws for what can never be a key, as cel-go then makes no program.
  if (constant !== undefined) checkKey(constant);
  const isField = expr.name === OPERATOR.optionalSelect && typeof constant === "string";
  return { key: isField ? constant : key, isOptional, isTest: false };
}

/** The name that a chain of selections spells, when that as a whole is a variable or constant. */
function qualifiedName(compiler: Compiler, expr: Expr): IdentExpr | undefined {
  const reference = compiler.reference(expr);
  if (reference?.kind === "ident") return { kind: "ident", at: expr.at, name: `.${reference.name}` };
  if (compiler.isChecked) return undefined;
  const name = spelledName(expr);
  if (name === undefined) return undefined;
  const first = name.split(".")[0] ?? "";
  if (first !== "" && compiler.findLocal(first) !== undefined) return undefined;
  const found = compiler.env.findIdent(name);
  return found === undefined ? undefined : { kind: "ident", at: expr.at, name: `.${found.name}` };
}

function compileRoot(compiler: Compiler, root: Expr, cost: number): Node {
  if (root.kind === "select" && !root.isTest) {
    const ident = qualifiedName(compiler, root);
    if (ident !== undefined) return compileGlobal(compiler, ident.name.slice(1), cost);
  }
  if (root.kind === "ident") return compileIdent(compiler, root, cost);
  if (root.kind === "call" && root.name === OPERATOR.conditional) return compiler.compile(root);
  const { run } = compiler.compile(root);
  if (cost === 0) return { run };
  return {
    run: (frame) => {
      frame.cost += cost;
      return run(frame);
    },
  };
}

function compileIdent(compiler: Compiler, expr: IdentExpr, cost: number): Node {
  const reference = compiler.reference(expr);
  if (reference?.kind === "ident") {
    if (reference.constant !== undefined) return constantNode(reference.constant);
    if (!reference.isLocal) return compileGlobal(compiler, reference.name, cost);
  }
  if (!expr.name.startsWith(".")) {
    const local = compiler.findLocal(expr.name);
    if (local?.init !== undefined) return { run: readLazy(local, local.init, cost) };
    if (local !== undefined) return variable(readSlot(local, cost), cost, (to) => to.slot(local.slot));
  }
  const found = compiler.env.findIdent(expr.name);
  return compileGlobal(compiler, found?.name ?? expr.name.replace(/^\./, ""), cost);
}

function compileGlobal(compiler: Compiler, name: string, cost: number): Node {
  const found = compiler.env.findIdent(`.${name}`);
  if (found !== undefined && "value" in found) return constantNode(found.value);
  const index = compiler.globalIndex(name);
  const read = (frame: Frame): CelValue => {
    const known = frame.slots[index];
    if (known !== undefined) return known;
    const value = frame.activation.find(name);
    if (value === undefined) throw new CelError(`no such attribute(s): ${name}`);
    frame.slots[index] = value;
    return value;
  };
  const run: Eval = (frame) => {
    frame.cost += cost;
    return read(frame);
  };
  const isRecord = found?.type.kind === "struct";
  return variable(run, cost, (to) => to.global(index, read, cost), isRecord);
}

function variable(run: Eval, cost: number, write: Write, isRecord = false): Node {
  const raw = { write, cost, isRecord };
  return { run, raw, write: writeVariable(raw) };
}

function readSlot({ slot, name }: Local, cost: number): Eval {
  return (frame) => {
    frame.cost += cost;
    const value = frame.slots[slot];
    if (value === undefined) throw new CelError(`no such attribute(s): ${name}`);
    if (value instanceof Thrown) throw value.error;
    return value;
  };
}

/** A variable that `cel.bind` gave a name: evaluated when first read, once, and not at all if never read. */
function readLazy({ slot }: Local, init: Eval, cost: number): Eval {
  return (frame) => {
    frame.cost += cost;
    let value = frame.slots[slot];
    if (value === undefined) {
      try {
        value = init(frame);
      } catch (error) {
        if (!(error instanceof CelError)) throw error;
        value = new Thrown(error);
      }
      frame.slots[slot] = value;
    }
    if (value instanceof Thrown) throw value.error;
    return value;
  };
}

function selectFields(start: Eval, names: readonly string[]): Eval {
  const [first = "", second = ""] = names;
  if (names.length === 1) {
    return (frame) => {
      const value = start(frame);
      if (value instanceof CelOptional) return throughOptional(value, names, frame);
      frame.cost += 1;
      return readField(value, first);
    };
  }
  if (names.length === 2) {
    return (frame) => {
      const value = start(frame);
      if (value instanceof CelOptional) return throughOptional(value, names, frame);
      frame.cost += 1;
      const inner = readField(value, first);
      frame.cost += 1;
      return readField(inner, second);
    };
  }
  return (frame) => {
    let value = start(frame);
    if (value instanceof CelOptional) return throughOptional(value, names, frame);
    for (const name of names) {
      frame.cost += 1;
      value = readField(value, name);
    }
    return value;
  };
}

function selectField(from: Eval, name: string, ending: (optional: CelOptional) => CelOptional): Eval {
  const names = [name];
  return (frame) => {
    const value = from(frame);
    if (value instanceof CelOptional) return ending(throughOptional(value, names, frame));
    frame.cost += 1;
    return readField(value, name);
  };
}

/** A chain that starts from an optional ends in one: nothing comes of nothing, and costs nothing. */
function throughOptional(optional: CelOptional, names: readonly string[], frame: Frame): CelOptional {
  let value = optional.value;
  for (const name of names) {
    if (value === undefined) return CelOptional.none;
    value = readFieldIfPresent(value, name);
    if (value !== undefined) frame.cost += 1;
  }
  return optionalOf(value);
}

/** What a step into an optional sees that a field holds: nothing (cel-go, interpreter/attributes.go, refQualify). */
const nothing: CelValue = Object.freeze({});

/** What comes of a step in the middle of a chain that starts from an optional; nobody outside the chain sees it. */
class OptionalInChain extends CelOptional {
  static readonly nothing = new OptionalInChain(undefined);
}

function inChain({ value }: CelOptional): CelOptional {
  return value === undefined ? OptionalInChain.nothing : new OptionalInChain(value);
}

function withoutOptional(from: Eval): Eval {
  return (frame) => {
    const value = from(frame);
    return value instanceof CelOptional && !(value instanceof OptionalInChain) ? nothing : value;
  };
}

function takeStep(from: Eval, step: Step, isAfterOptional: boolean, isLast: boolean): Eval {
  const { key, isTest } = step;
  if (isTest) {
    const name = typeof key === "string" ? key : "";
    return (frame) => {
      let value = from(frame);
      if (value instanceof CelOptional) {
        if (value.value === undefined) return false;
        value = value.value;
      }
      frame.cost += 1;
      return hasField(value, name);
    };
  }
  if (step.isOptional || isAfterOptional) return stepIfPresent(from, key);
  const ending = isLast ? (optional: CelOptional) => optional : inChain;
  if (typeof key === "string") return selectField(from, key, ending);
  const { run, constant } = key;
  return (frame) => {
    const value = from(frame);
    if (value instanceof CelOptional) return ending(takeIfPresent(value, key, frame));
    frame.cost += 1;
    return readIndex(value, constant ?? run(frame));
  };
}

/** A step that ends in `optional.none()` where there is nothing, at no cost then; so do all steps after it. */
function stepIfPresent(from: Eval, key: string | Node): Eval {
  return (frame) => takeIfPresent(from(frame), key, frame);
}

function takeIfPresent(from: CelValue, key: string | Node, frame: Frame): CelOptional {
  const value = from instanceof CelOptional ? from.value : from;
  if (value === undefined) return CelOptional.none;
  const found =
    typeof key === "string" ? readFieldIfPresent(value, key) : readIndexIfPresent(value, key.run(frame));
  if (found !== undefined) frame.cost += 1;
  return optionalOf(found);
}

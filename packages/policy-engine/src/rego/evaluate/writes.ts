/** Statements that make values and give them to variables. */
import { EvaluationError } from "../builtins/contract.ts";
import type { Statement } from "../plan/statements.ts";
import {
  entriesOf,
  equalValues,
  getKey,
  isArray,
  isObject,
  RegoObject,
  RegoSet,
  type RegoValue,
} from "../values.ts";
import type { FunctionScope } from "./function.ts";
import { goOn, leave, type Step } from "./step.ts";

/** Gives a variable what `make` makes, anew each time. */
export function make(local: number, value: () => RegoValue | undefined, scope: FunctionScope): Step {
  const target = scope.slot(local);
  return (locals) => {
    locals[target] = value();
    return goOn;
  };
}

export function assign(statement: Statement<"AssignVarStmt">, scope: FunctionScope): Step {
  const target = scope.slot(statement.target);
  const { source } = statement;
  if (source.kind === "constant") {
    const { value } = source;
    return (locals) => {
      locals[target] = value;
      return goOn;
    };
  }
  const from = scope.slot(source.local);
  return (locals) => {
    locals[target] = locals[from];
    return goOn;
  };
}

/** A complete rule or function may be given its value many times, as long as it is the same. */
export function assignOnce(statement: Statement<"AssignVarOnceStmt">, scope: FunctionScope): Step {
  const read = scope.read(statement.source);
  const target = scope.slot(statement.target);
  const name = scope.function?.name.replace(/^g\d+\./, "") ?? "query";
  const message =
    (scope.function?.params.length ?? 0) > 2
      ? `function ${name} produced conflicting values for the same inputs`
      : `rule ${name} produced conflicting values`;
  return (locals) => {
    const value = read(locals);
    if (value === undefined) return leave;
    const before = locals[target];
    if (before !== undefined && !equalValues(before, value))
      throw new EvaluationError("eval_conflict_error", message, { location: statement.location });
    locals[target] = value;
    return goOn;
  };
}

export function append(statement: Statement<"ArrayAppendStmt">, scope: FunctionScope): Step {
  const read = scope.read(statement.value);
  const target = scope.slot(statement.array);
  return (locals) => {
    const value = read(locals);
    const array = locals[target];
    if (value === undefined || array === undefined || !isArray(array)) return leave;
    // The loader has shown that this function made it.
    (array as RegoValue[]).push(value);
    return goOn;
  };
}

export function addToSet(statement: Statement<"SetAddStmt">, scope: FunctionScope): Step {
  const read = scope.read(statement.value);
  const target = scope.slot(statement.set);
  return (locals, run) => {
    const value = read(locals);
    const set = locals[target];
    if (value === undefined) return leave;
    if (!(set instanceof RegoSet) || set.isFrozen)
      throw new EvaluationError("eval_conflict_error", "rules give one key both a set and another value", {
        location: statement.location,
      });
    run.spend(1);
    set.add(value);
    return goOn;
  };
}

/** Into an object under construction; `once` refuses a second, different value for a key. */
export function insert(
  statement: Statement<"ObjectInsertStmt" | "ObjectInsertOnceStmt">,
  scope: FunctionScope,
): Step {
  const readKey = scope.read(statement.key);
  const readValue = scope.read(statement.value);
  const target = scope.slot(statement.object);
  const once = statement.kind === "ObjectInsertOnceStmt";
  const conflict = (): never => {
    throw new EvaluationError("eval_conflict_error", "object keys must be unique", {
      location: statement.location,
    });
  };
  return (locals, run) => {
    const key = readKey(locals);
    const value = readValue(locals);
    const object = locals[target];
    if (key === undefined || value === undefined) return leave;
    // An object of the input, or the finished value of another rule, is not this rule's to fill.
    if (!(object instanceof RegoObject) || object.isFrozen) return conflict();
    run.spend(1);
    if (once) {
      const before = object.get(key);
      if (before !== undefined) return equalValues(before, value) ? goOn : conflict();
    }
    object.set(key, value);
    return goOn;
  };
}

/** Base documents (a) and rules (b) at one place of data: objects merge key by key, else the base document wins. */
export function merge(statement: Statement<"ObjectMergeStmt">, scope: FunctionScope): Step {
  const [a, b, target] = [scope.slot(statement.a), scope.slot(statement.b), scope.slot(statement.target)];
  return (locals, run) => {
    const left = locals[a];
    const right = locals[b];
    const merged =
      left === undefined || right === undefined
        ? (left ?? right)
        : mergeValues(left, right, run.spend.bind(run), 0);
    locals[target] = merged;
    return merged === undefined ? leave : goOn;
  };
}

/** As deep as documents are merged; below that the base document stands. */
const mergeDepth = 100;

function mergeValues(a: RegoValue, b: RegoValue, spend: (units: number) => void, depth: number): RegoValue {
  if (!isObject(a) || !isObject(b) || depth >= mergeDepth) return a;
  const merged = new RegoObject();
  for (const [key, value] of entriesOf(a)) {
    spend(1);
    const other = getKey(b, key);
    merged.set(key, other === undefined ? value : mergeValues(value, other, spend, depth + 1));
  }
  for (const [key, value] of entriesOf(b)) {
    spend(1);
    if (getKey(a, key) === undefined) merged.set(key, value);
  }
  return merged;
}

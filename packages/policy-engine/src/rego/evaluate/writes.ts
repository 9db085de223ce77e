/** Statements that make values and give them to variables. */
import { EvaluationError } from "../builtins/contract.ts";
import type { SourceLocation, Statement } from "../plan/statements.ts";
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
import { conflictMessage, type FunctionScope } from "./function.ts";
import type { Run } from "./run.ts";
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

/** What a statement says when it is wrong. */
export interface ConflictSite {
  readonly message: string;
  readonly location: SourceLocation;
}

function conflict({ message, location }: ConflictSite): EvaluationError {
  return new EvaluationError("eval_conflict_error", message, { location });
}

/** A complete rule or function may be given its value many times, as long as it is the same. */
export function assignOnce(statement: Statement<"AssignVarOnceStmt">, scope: FunctionScope): Step {
  const read = scope.read(statement.source);
  const target = scope.slot(statement.target);
  const site = { message: conflictMessage(scope.function), location: statement.location };
  return (locals) => {
    const value = read(locals);
    if (value === undefined) return leave;
    const before = locals[target];
    if (before !== undefined) checkSame(before, value, site);
    locals[target] = value;
    return goOn;
  };
}

export function checkSame(before: RegoValue, value: RegoValue, site: ConflictSite): void {
  if (!equalValues(before, value)) throw conflict(site);
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
  const site = setConflict(statement);
  return (locals, run) => {
    const value = read(locals);
    if (value === undefined) return leave;
    addMember(locals[target], value, run, site);
    return goOn;
  };
}

export function setConflict({ location }: Statement<"SetAddStmt">): ConflictSite {
  return { message: "rules give one key both a set and another value", location };
}

export function addMember(set: RegoValue | undefined, value: RegoValue, run: Run, site: ConflictSite): void {
  if (!(set instanceof RegoSet) || set.isFrozen) throw conflict(site);
  run.spend(1);
  set.add(value);
}

/** Into an object under construction; `once` refuses a second, different value for a key. */
export function insert(
  statement: Statement<"ObjectInsertStmt" | "ObjectInsertOnceStmt">,
  scope: FunctionScope,
): Step {
  const readKey = scope.read(statement.key);
  const readValue = scope.read(statement.value);
  const target = scope.slot(statement.object);
  const put = statement.kind === "ObjectInsertOnceStmt" ? insertOnce : insertMember;
  const site = keyConflict(statement);
  return (locals, run) => {
    const key = readKey(locals);
    const value = readValue(locals);
    if (key === undefined || value === undefined) return leave;
    put(locals[target], key, value, run, site);
    return goOn;
  };
}

export function keyConflict({ location }: Statement): ConflictSite {
  return { message: "object keys must be unique", location };
}

export function insertMember(
  object: RegoValue | undefined,
  key: RegoValue,
  value: RegoValue,
  run: Run,
  site: ConflictSite,
): void {
  const filled = underConstruction(object, site);
  run.spend(1);
  filled.set(key, value);
}

export function insertOnce(
  object: RegoValue | undefined,
  key: RegoValue,
  value: RegoValue,
  run: Run,
  site: ConflictSite,
): void {
  const filled = underConstruction(object, site);
  run.spend(1);
  const before = filled.get(key);
  if (before === undefined) filled.set(key, value);
  else checkSame(before, value, site);
}

/** An object of the input, or the finished value of another rule, is not this rule's to fill. */
function underConstruction(object: RegoValue | undefined, site: ConflictSite): RegoObject {
  if (!(object instanceof RegoObject) || object.isFrozen) throw conflict(site);
  return object;
}

/** Base documents (a) and rules (b) at one place of data: objects merge key by key, else the base document wins. */
export function merge(statement: Statement<"ObjectMergeStmt">, scope: FunctionScope): Step {
  const [a, b, target] = [scope.slot(statement.a), scope.slot(statement.b), scope.slot(statement.target)];
  return (locals, run) => {
    const merged = mergeDocuments(locals[a], locals[b], run);
    locals[target] = merged;
    return merged === undefined ? leave : goOn;
  };
}

export function mergeDocuments(
  a: RegoValue | undefined,
  b: RegoValue | undefined,
  run: Run,
): RegoValue | undefined {
  return a === undefined || b === undefined ? (a ?? b) : mergeValues(a, b, run, 0);
}

/** As deep as documents are merged; below that the base document stands. */
const mergeDepth = 100;

function mergeValues(a: RegoValue, b: RegoValue, run: Run, depth: number): RegoValue {
  if (!isObject(a) || !isObject(b) || depth >= mergeDepth) return a;
  const merged = new RegoObject();
  for (const [key, value] of entriesOf(a)) {
    run.spend(1);
    const other = getKey(b, key);
    merged.set(key, other === undefined ? value : mergeValues(value, other, run, depth + 1));
  }
  for (const [key, value] of entriesOf(b)) {
    run.spend(1);
    if (getKey(a, key) === undefined) merged.set(key, value);
  }
  return merged;
}

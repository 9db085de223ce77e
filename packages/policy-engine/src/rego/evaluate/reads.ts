/** Statements that look at values: lookups, lengths, comparisons, kinds. */
import { runeCount } from "../builtins/go/bytes.ts";
import type { Operand, Statement } from "../plan/statements.ts";
import {
  equalValues,
  isArray,
  isObject,
  isSet,
  RegoObject,
  RegoSet,
  type RegoValue,
  sizeOf,
} from "../values.ts";
import type { FunctionScope } from "./function.ts";
import type { Run } from "./run.ts";
import { goOn, leave, type Step } from "./step.ts";

/** The element of an array, the value of a key, or the member of a set; undefined where there is none. */
export function lookUp(source: RegoValue | undefined, key: RegoValue): RegoValue | undefined {
  if (typeof source !== "object" || source === null) return undefined;
  if (isArray(source)) return typeof key === "number" && key >= 0 ? source[key] : undefined;
  if (source instanceof RegoObject) return source.get(key);
  if (source instanceof RegoSet) return source.has(key) ? key : undefined;
  return typeof key === "string" && Object.hasOwn(source, key) ? source[key] : undefined;
}

export function dot(statement: Statement<"DotStmt">, scope: FunctionScope): Step {
  const target = scope.slot(statement.target);
  const { source, key } = statement;
  // Constants are strings and booleans, which have no parts.
  if (source.kind === "constant") return () => leave;
  const from = scope.slot(source.local);
  if (key.kind === "constant") {
    const constant = key.value;
    return (locals) => {
      const value = lookUp(locals[from], constant);
      locals[target] = value;
      return value === undefined ? leave : goOn;
    };
  }
  const by = scope.slot(key.local);
  return (locals) => {
    const at = locals[by];
    const value = at === undefined ? undefined : lookUp(locals[from], at);
    locals[target] = value;
    return value === undefined ? leave : goOn;
  };
}

/** Elements of a collection, characters (code points) of a string; other values have no length. */
export function lengthOf(value: RegoValue | undefined, run: Run): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string") {
    run.spend(value.length >>> 4);
    return runeCount(value);
  }
  if (isArray(value)) return value.length;
  if (isSet(value)) return value.size;
  return isObject(value) ? sizeOf(value) : undefined;
}

export function length(statement: Statement<"LenStmt">, scope: FunctionScope): Step {
  const read = scope.read(statement.source);
  const target = scope.slot(statement.target);
  return (locals, run) => {
    const size = lengthOf(read(locals), run);
    locals[target] = size;
    return size === undefined ? leave : goOn;
  };
}

/** Characters from which on comparing two strings counts as work: less is done at once. */
export const longText = 1_024;

export function areEqual(a: RegoValue, b: RegoValue, run: Run): boolean {
  if (typeof a !== "string" || typeof b !== "string") return a === b || equalValues(a, b);
  if (a.length !== b.length) return false;
  if (a.length >= longText) run.spend(a.length >>> 9);
  return a === b;
}

/** An equality that must hold, or must not; undefined on either side is undefined. */
export function equality(a: Operand, b: Operand, wanted: boolean, scope: FunctionScope): Step {
  const readA = scope.read(a);
  const readB = scope.read(b);
  return (locals, run) => {
    const left = readA(locals);
    const right = readB(locals);
    if (left === undefined || right === undefined) return leave;
    return areEqual(left, right, run) === wanted ? goOn : leave;
  };
}

/** Holds for values of one kind. */
export function kindCheck(
  operand: Operand,
  isKind: (value: RegoValue) => boolean,
  scope: FunctionScope,
): Step {
  const read = scope.read(operand);
  return (locals) => {
    const value = read(locals);
    return value !== undefined && isKind(value) ? goOn : leave;
  };
}

export function definedness(local: number, wanted: boolean, scope: FunctionScope): Step {
  const slot = scope.slot(local);
  return (locals) => ((locals[slot] !== undefined) === wanted ? goOn : leave);
}

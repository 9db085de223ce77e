/** Statements that look at values and make them: as evaluate/reads.ts and evaluate/writes.ts have them. */
import { isInheritable } from "../../generate/code-writer.ts";
import { areEqual, lengthOf, longText, lookUp } from "../evaluate/reads.ts";
import {
  addMember,
  checkSame,
  insertMember,
  insertOnce,
  keyConflict,
  mergeDocuments,
  setConflict,
} from "../evaluate/writes.ts";
import { numberLiteral } from "../number-literal.ts";
import type { Operand, Statement } from "../plan/statements.ts";
import { isObject, RegoObject, RegoSet } from "../values.ts";
import type { FunctionWriter } from "./function-writer.ts";

type ValueStatement = Exclude<
  Statement,
  {
    kind:
      | "ReturnLocalStmt"
      | "BlockStmt"
      | "BreakStmt"
      | "ScanStmt"
      | "NotStmt"
      | "WithStmt"
      | "CallStmt"
      | "CallDynamicStmt"
      | "NopStmt"
      | "ResultSetAddStmt";
  }
>;

export function writeValueStatement(to: FunctionWriter, statement: ValueStatement): void {
  switch (statement.kind) {
    case "DotStmt":
      writeDot(to, statement);
      return;
    case "EqualStmt":
      writeEquality(to, statement.a, statement.b, true);
      return;
    case "NotEqualStmt":
      writeEquality(to, statement.a, statement.b, false);
      return;
    case "IsArrayStmt":
      to.leaveIf(`!Array.isArray(${to.operand(statement.source)})`);
      return;
    case "IsObjectStmt":
      to.leaveIf(`!${to.helper(isObject)}(${to.operand(statement.source)})`);
      return;
    case "IsSetStmt":
      to.leaveIf(`!(${to.operand(statement.source)} instanceof ${to.helper(RegoSet)})`);
      return;
    case "IsDefinedStmt":
      to.leaveIf(`${to.local(statement.source)}===undefined`);
      return;
    case "IsUndefinedStmt":
      to.leaveIf(`${to.local(statement.source)}!==undefined`);
      return;
    case "LenStmt":
    case "ObjectMergeStmt":
      writeComputed(to, statement);
      return;
    case "AssignVarOnceStmt":
    case "ArrayAppendStmt":
    case "SetAddStmt":
    case "ObjectInsertStmt":
    case "ObjectInsertOnceStmt":
      writeFilling(to, statement);
      return;
    default:
      to.line(`${to.local(statement.target)}=${made(to, statement)};`);
  }
}

type MakingKind =
  | "AssignVarStmt"
  | "AssignIntStmt"
  | "MakeNumberIntStmt"
  | "MakeNumberRefStmt"
  | "MakeNullStmt"
  | "ResetLocalStmt"
  | "MakeArrayStmt"
  | "MakeObjectStmt"
  | "MakeSetStmt";

function made(to: FunctionWriter, statement: Extract<Statement, { kind: MakingKind }>): string {
  switch (statement.kind) {
    case "AssignVarStmt":
      return to.operand(statement.source);
    case "AssignIntStmt":
    case "MakeNumberIntStmt":
      return to.parameter(statement.value);
    case "MakeNumberRefStmt":
      return to.parameter(numberLiteral(statement.index));
    case "MakeNullStmt":
      return "null";
    case "ResetLocalStmt":
      return "undefined";
    case "MakeArrayStmt":
      return "[]";
    case "MakeObjectStmt":
      return `new ${to.helper(RegoObject)}()`;
    case "MakeSetStmt":
      return `new ${to.helper(RegoSet)}()`;
    default:
      return statement satisfies never;
  }
}

/**
 * A field of an object as JSON.parse makes it is read as JavaScript does: such an object's constructor is `Object`,
 * inherited, and a name that no prototype has is its own or undefined. All else is looked up.
 */
function writeDot(to: FunctionWriter, { source, key, target }: Statement<"DotStmt">): void {
  // Constants are strings and booleans, which have no parts.
  if (source.kind === "constant") {
    to.line(to.leave());
    return;
  }
  const [from, value] = [to.local(source.local), to.local(target)];
  to.line(`${value}=${lookedUp(to, from, key)};`);
  to.leaveIf(`${value}===undefined`);
}

function lookedUp(to: FunctionWriter, from: string, key: Operand): string {
  const at = to.operand(key);
  const found = `${to.helper(lookUp)}(${from},${at})`;
  if (key.kind === "local") return `${at}===undefined?undefined:${found}`;
  if (typeof key.value !== "string" || isInheritable(key.value)) return found;
  return `${from}?.constructor===${to.helper(Object)}?${to.field(from, key.value)}:${found}`;
}

/** An equality that must hold, or must not; undefined on either side is undefined. */
function writeEquality(to: FunctionWriter, a: Operand, b: Operand, wanted: boolean): void {
  const [left, right] = [to.operand(a), to.operand(b)];
  const undefinedOnes = [
    ...(a.kind === "local" ? [`${left}===undefined`] : []),
    ...(b.kind === "local" ? [`${right}===undefined`] : []),
  ];
  const isPlain = isShort(a) || isShort(b);
  const equal = isPlain ? `${left}===${right}` : `${to.helper(areEqual)}(${left},${right},r)`;
  to.leaveIf([...undefinedOnes, `(${equal})!==${wanted}`].join("||"));
}

/** Nothing but itself is equal to it, and comparing it is no work. */
function isShort(operand: Operand): boolean {
  if (operand.kind === "local") return false;
  return typeof operand.value === "boolean" || operand.value.length < longText;
}

function writeComputed(to: FunctionWriter, statement: Statement<"LenStmt" | "ObjectMergeStmt">): void {
  const value = to.local(statement.target);
  const computed =
    statement.kind === "LenStmt"
      ? `${to.helper(lengthOf)}(${to.operand(statement.source)},r)`
      : `${to.helper(mergeDocuments)}(${to.local(statement.a)},${to.local(statement.b)},r)`;
  to.line(`${value}=${computed};`);
  to.leaveIf(`${value}===undefined`);
}

type FillingKind =
  | "AssignVarOnceStmt"
  | "ArrayAppendStmt"
  | "SetAddStmt"
  | "ObjectInsertStmt"
  | "ObjectInsertOnceStmt";

function writeFilling(to: FunctionWriter, statement: Extract<Statement, { kind: FillingKind }>): void {
  switch (statement.kind) {
    case "AssignVarOnceStmt": {
      const [value, target] = [defined(to, statement.source), to.local(statement.target)];
      const site = to.parameter({ message: to.conflict, location: statement.location });
      to.line(`if(${target}!==undefined)${to.helper(checkSame)}(${target},${value},${site});`);
      to.line(`${target}=${value};`);
      return;
    }
    case "ArrayAppendStmt": {
      const [value, array] = [defined(to, statement.value), to.local(statement.array)];
      to.leaveIf(`!Array.isArray(${array})`);
      to.line(`${array}.push(${value});`);
      return;
    }
    case "SetAddStmt": {
      const [value, set] = [defined(to, statement.value), to.local(statement.set)];
      to.line(`${to.helper(addMember)}(${set},${value},r,${to.parameter(setConflict(statement))});`);
      return;
    }
    case "ObjectInsertStmt":
    case "ObjectInsertOnceStmt": {
      const [key, value] = [defined(to, statement.key), defined(to, statement.value)];
      const put = statement.kind === "ObjectInsertOnceStmt" ? insertOnce : insertMember;
      const object = to.local(statement.object);
      to.line(`${to.helper(put)}(${object},${key},${value},r,${to.parameter(keyConflict(statement))});`);
      return;
    }
    default:
      statement satisfies never;
  }
}

/** The operand, from here on not undefined. */
function defined(to: FunctionWriter, operand: Operand): string {
  const text = to.operand(operand);
  if (operand.kind === "local") to.leaveIf(`${text}===undefined`);
  return text;
}

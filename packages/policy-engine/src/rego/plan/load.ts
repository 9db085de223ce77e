/** Checks a plan, as JSON, against what the evaluator relies on. */
import { PlanError } from "./errors.ts";
import { checkArrays } from "./made-arrays.ts";
import {
  below,
  field,
  type Json,
  type Place,
  readInteger,
  readList,
  readObject,
  readText,
  refuse,
} from "./reader.ts";
import {
  type Block,
  type FieldKind,
  type Operand,
  type Plan,
  type PlanFunction,
  type RegoPlan,
  type SourceLocation,
  type Statement,
  type StatementKind,
  statementFields,
} from "./statements.ts";

/** Far above what policies written by people need; they bound memory and stack. */
export const planLimits = {
  strings: 200_000,
  functions: 20_000,
  plans: 2_000,
  statements: 1_000_000,
  /** Blocks within blocks: each `x[_]` of a rule body adds one. */
  nesting: 200,
  /** Variables of one function. */
  locals: 100_000,
  arguments: 1_000,
} as const;

interface Scope {
  readonly strings: readonly string[];
  readonly files: readonly string[];
  /** Parameters each callee takes: functions of the plan and declared built-ins. */
  readonly callees: ReadonlyMap<string, number>;
  statementsLeft: number;
}

const root = undefined;

/**
 * The plan as typed statements. Every string, variable, block and callee a statement names is there; arrays are
 * appended to only where the function made them. Throws `PlanError`.
 */
export function loadPlan(json: unknown): RegoPlan {
  const plan = readObject(json, below(root, "plan"));
  const statics = readObject(field(plan, "static") ?? {}, below(root, "static"));
  const builtins = readBuiltins(field(statics, "builtin_funcs"));
  const funcsPlace = below(root, "funcs");
  const funcs = readList(
    field(readObject(field(plan, "funcs") ?? {}, funcsPlace), "funcs"),
    funcsPlace,
    planLimits.functions,
  );
  const scope: Scope = {
    strings: readStrings(field(statics, "strings"), "strings"),
    files: readStrings(field(statics, "files"), "files"),
    callees: readCallees(funcs, funcsPlace, builtins),
    statementsLeft: planLimits.statements,
  };
  const plansPlace = below(root, "plans");
  const plans = readList(
    field(readObject(field(plan, "plans") ?? {}, plansPlace), "plans"),
    plansPlace,
    planLimits.plans,
  ).map((item, at) => readPlan(item, below(plansPlace, at), scope));
  const names = new Set(plans.map(({ name }) => name));
  if (names.size < plans.length) throw new PlanError("plans", "two plans have one name");
  return {
    plans,
    functions: funcs.map((item, at) => readFunction(item, below(funcsPlace, at), scope)),
    builtins,
  };
}

function readStrings(value: Json, key: string): readonly string[] {
  const place = below(below(root, "static"), key);
  return readList(value, place, planLimits.strings).map((item, at) =>
    readText(field(readObject(item, below(place, at)), "value"), below(place, at)),
  );
}

function readBuiltins(value: Json): ReadonlyMap<string, number> {
  const place = below(below(root, "static"), "builtin_funcs");
  const builtins = new Map<string, number>();
  for (const [at, item] of readList(value, place, planLimits.functions).entries()) {
    const declared = readObject(item, below(place, at));
    const declaration = readObject(field(declared, "decl"), below(below(place, at), "decl"));
    const args = readList(field(declaration, "args"), below(place, at), planLimits.arguments);
    builtins.set(readText(field(declared, "name"), below(place, at)), args.length);
  }
  return builtins;
}

function readCallees(
  funcs: readonly Json[],
  place: Place,
  builtins: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  const callees = new Map(builtins);
  for (const [at, item] of funcs.entries()) {
    const func = readObject(item, below(place, at));
    const name = readText(field(func, "name"), below(below(place, at), "name"));
    if (callees.has(name)) refuse(below(place, at), `is a second function or built-in called ${name}`);
    callees.set(name, readList(field(func, "params"), below(place, at), planLimits.arguments).length);
  }
  return callees;
}

function readFunction(value: Json, place: Place, scope: Scope): PlanFunction {
  const func = readObject(value, place);
  const params = readList(field(func, "params"), place, planLimits.arguments).map((item) =>
    readLocal(item, below(place, "params")),
  );
  if (new Set(params).size < params.length) refuse(below(place, "params"), "names one variable twice");
  const blocks = readBlocks(field(func, "blocks"), below(place, "blocks"), scope, 0);
  checkArrays(blocks, (problem) => refuse(place, problem));
  return {
    name: readText(field(func, "name"), below(place, "name")),
    params,
    result: readLocal(field(func, "return"), below(place, "return")),
    blocks,
    path: readList(field(func, "path"), below(place, "path"), planLimits.arguments).map((item) =>
      readText(item, below(place, "path")),
    ),
  };
}

function readPlan(value: Json, place: Place, scope: Scope): Plan {
  const plan = readObject(value, place);
  const blocks = readBlocks(field(plan, "blocks"), below(place, "blocks"), scope, 0);
  checkArrays(blocks, (problem) => refuse(place, problem));
  return { name: readText(field(plan, "name"), below(place, "name")), blocks };
}

function readBlocks(value: Json, place: Place, scope: Scope, depth: number): readonly Block[] {
  return readList(value, place, planLimits.statements).map((item, at) =>
    readBlock(item, below(place, at), scope, depth),
  );
}

function readBlock(value: Json, place: Place, scope: Scope, depth: number): Block {
  if (depth >= planLimits.nesting) refuse(place, `blocks are nested more than ${planLimits.nesting} deep`);
  const statements = below(place, "stmts");
  const items = readList(field(readObject(value, place), "stmts"), statements, scope.statementsLeft);
  scope.statementsLeft -= items.length;
  return {
    statements: items.map((item, at) => readStatement(item, below(statements, at), scope, depth + 1)),
  };
}

function isStatementKind(name: string): name is StatementKind {
  return Object.hasOwn(statementFields, name);
}

function readStatement(value: Json, place: Place, scope: Scope, depth: number): Statement {
  const item = readObject(value, place);
  const kind = readText(field(item, "type"), below(place, "type"));
  if (!isStatementKind(kind)) return refuse(place, `${JSON.stringify(kind)} is no statement of OPA's plans`);
  const fields = readObject(field(item, "stmt"), below(place, "stmt"));
  const read: Record<string, unknown> = { kind, location: readLocation(fields, scope) };
  for (const [name, fieldKind] of Object.entries<FieldKind>(statementFields[kind]))
    read[name] = readField(fieldKind, field(fields, name), below(place, name), scope, depth);
  const statement = read as unknown as Statement;
  if (statement.kind === "CallStmt") checkArguments(statement, place, scope);
  return statement;
}

function checkArguments(call: Statement<"CallStmt">, place: Place, scope: Scope): void {
  const wanted = scope.callees.get(call.func);
  if (wanted !== call.args.length)
    refuse(place, `calls ${call.func} with ${call.args.length} arguments, it takes ${wanted}`);
}

function readField(kind: FieldKind, value: Json, place: Place, scope: Scope, depth: number): unknown {
  switch (kind) {
    case "operand":
      return readOperand(value, place, scope);
    case "operands":
      return readList(value, place, planLimits.arguments).map((item) => readOperand(item, place, scope));
    case "local":
      return readLocal(value, place);
    case "locals":
      return readList(value, place, planLimits.arguments).map((item) => readLocal(item, place));
    case "block":
      return readBlock(value, place, scope, depth);
    case "blocks":
      return readBlocks(value, place, scope, depth);
    case "integer":
      return readInteger(value, place, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    case "depth":
      return readInteger(value, place, 0, depth - 1);
    case "text":
      return readConstant(value, place, scope);
    case "texts":
      return readList(value, place, planLimits.arguments).map((item) => readConstant(item, place, scope));
    case "callee": {
      const name = readText(value, place);
      return scope.callees.has(name)
        ? name
        : refuse(place, `calls ${JSON.stringify(name)}, which is not there`);
    }
    default:
      return kind satisfies never;
  }
}

function readLocal(value: Json, place: Place): number {
  return readInteger(value, place, 0, planLimits.locals - 1);
}

function readConstant(value: Json, place: Place, scope: Scope): string {
  return (
    scope.strings[readInteger(value, place, 0, scope.strings.length - 1)] ?? refuse(place, "no such string")
  );
}

function readOperand(value: Json, place: Place, scope: Scope): Operand {
  const operand = readObject(value, place);
  const content = field(operand, "value");
  switch (field(operand, "type")) {
    case "local":
      return { kind: "local", local: readLocal(content, place) };
    case "string_index":
      return { kind: "constant", value: readConstant(content, place, scope) };
    case "bool":
      return typeof content === "boolean"
        ? { kind: "constant", value: content }
        : refuse(place, "must be true or false");
    default:
      return refuse(place, "must be a local, a string or a boolean");
  }
}

/** Only for messages, so nothing about it is refused. */
function readLocation(fields: Readonly<Record<string, Json>>, scope: Scope): SourceLocation {
  const number = (key: string): number => {
    const value = field(fields, key);
    return typeof value === "number" && Number.isSafeInteger(value) ? value : 0;
  };
  return { file: scope.files[number("file")] ?? "", row: number("row"), col: number("col") };
}

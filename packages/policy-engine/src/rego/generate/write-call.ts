/** Calls of rules, functions and built-ins: as evaluate/calls.ts has them. */
import type { PairAnswer } from "../builtins/contract.ts";
import {
  type BuiltinSite,
  builtinSite,
  callBuiltin,
  callByPath,
  nothingThere,
  referenceBlocks,
} from "../evaluate/calls.ts";
import { valueOfRule } from "../evaluate/rules.ts";
import type { Operand, Statement } from "../plan/statements.ts";
import type { FunctionWriter } from "./function-writer.ts";

export function writeCall(to: FunctionWriter, statement: Statement<"CallStmt">): void {
  const callee = to.callees.functions.get(statement.func);
  if (callee === undefined) {
    writeBuiltinCall(to, statement, builtinSite(statement, to.callees));
    return;
  }
  const args = statement.args.map((operand) => to.operand(operand));
  const value = to.local(statement.result);
  if (callee.arity === 2) {
    const made = `${to.helper(valueOfRule)}(${to.bind(callee)},${args.join()},r)`;
    // Asked about the same documents, a rule comes to the same however often: in a loop once is enough.
    const kept = to.isAboutDocuments(statement) ? to.kept(callee) : undefined;
    to.line(
      kept === undefined ? `${value}=${made};` : `${value}=${kept}===undefined?${kept}=${made}:${kept};`,
    );
  } else to.line(`${value}=${to.bind(callee)}.code(${["r", ...args].join()});`);
  to.leaveIf(`${value}===undefined`);
}

function writeBuiltinCall(to: FunctionWriter, statement: Statement<"CallStmt">, site: BuiltinSite): void {
  const args = statement.args.map((operand) => to.operand(operand));
  const value = to.local(statement.result);
  const { ofTexts, ofNumbers } = site.builtin;
  if (ofTexts !== undefined) writePair(to, statement.args, args, value, "string", ofTexts);
  if (ofNumbers !== undefined) writePair(to, statement.args, args, value, "number", ofNumbers);
  const undefinedOnes = args.filter((_, at) => statement.args[at]?.kind === "local");
  to.line("{");
  if (undefinedOnes.length > 0) to.leaveIf(undefinedOnes.map((arg) => `${arg}===undefined`).join("||"));
  to.line(`${value}=${to.helper(callBuiltin)}(${to.parameter(site)},[${args.join()}],r);}`);
  to.leaveIf(`${value}===undefined`);
}

/** Two operands of one kind are answered here; what follows is for all others. */
function writePair<T>(
  to: FunctionWriter,
  operands: readonly Operand[],
  [a = "", b = ""]: readonly string[],
  value: string,
  type: "string" | "number",
  { work, answer }: PairAnswer<T>,
): void {
  const [first, second] = operands;
  if (first === undefined || second === undefined || operands.length !== 2) return;
  const tests = [
    ...(first.kind === "local" ? [`typeof ${a}==="${type}"`] : []),
    ...(second.kind === "local" ? [`typeof ${b}==="${type}"`] : []),
  ];
  const isOther = [first, second].some(
    (operand) => operand.kind === "constant" && typeof operand.value !== type,
  );
  if (tests.length === 0 || isOther) return;
  to.line(`if(${tests.join("&&")}){r.spend(${to.helper(work)}(${a},${b}));`);
  to.line(`${value}=${to.helper(answer)}(${a},${b});}else `);
}

export function writeDynamicCall(to: FunctionWriter, statement: Statement<"CallDynamicStmt">): void {
  const path = statement.path.map((operand) => to.operand(operand));
  const args = statement.args.map((local) => to.local(local));
  const [value, found] = [to.local(statement.result), to.temporary()];
  const { at } = to.callees;
  to.line(`${found}=${to.helper(callByPath)}(${to.bind(at)},[${path.join()}],[${args.join()}],r);`);
  to.leaveIf(`${found}===${to.bind(nothingThere)}`);
  to.line(`${value}=${found};`);
  to.line(`if(${value}===undefined)${to.leave(Math.min(referenceBlocks, to.depth))}`);
}

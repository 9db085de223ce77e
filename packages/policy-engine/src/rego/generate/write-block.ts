/** Statements that hold blocks, and those that leave them: as evaluate/control.ts has them. */
import { freeze, upsert } from "../evaluate/control.ts";
import { isOrderSeen } from "../evaluate/order.ts";
import type { Run } from "../evaluate/run.ts";
import { type Collection, membersOf, scannedKeys } from "../evaluate/scan.ts";
import type { Block, Statement } from "../plan/statements.ts";
import { getKey, RegoSet, type RegoValue } from "../values.ts";
import type { FunctionWriter } from "./function-writer.ts";
import { writeCall, writeDynamicCall } from "./write-call.ts";
import { writeValueStatement } from "./write-value.ts";

/** Blocks one after the other, whether or not those before were undefined. */
export function writeBlocks(to: FunctionWriter, blocks: readonly Block[]): void {
  for (const block of blocks) to.block(() => writeStatements(to, block));
}

function writeStatements(to: FunctionWriter, { statements }: Block): void {
  for (const statement of statements) writeStatement(to, statement);
}

function writeStatement(to: FunctionWriter, statement: Statement): void {
  switch (statement.kind) {
    case "ReturnLocalStmt": {
      const value = to.local(statement.source);
      to.line(`${to.helper(freeze)}(${value});${to.return(value)}`);
      return;
    }
    case "BlockStmt":
      writeBlocks(to, statement.blocks);
      return;
    case "BreakStmt":
      to.line(to.leave(statement.index + 1));
      return;
    case "ScanStmt":
      writeScan(to, statement);
      return;
    case "NotStmt":
      to.block(() => {
        writeStatements(to, statement.block);
        // It came to its end, so what it denies holds.
        to.line(to.leave(2));
      });
      return;
    case "WithStmt":
      writeWith(to, statement);
      return;
    case "CallStmt":
      writeCall(to, statement);
      return;
    case "CallDynamicStmt":
      writeDynamicCall(to, statement);
      return;
    case "NopStmt":
      return;
    case "ResultSetAddStmt": {
      const value = to.local(statement.value);
      to.line(`if(${value}!==undefined)r.results.push(${value});`);
      return;
    }
    default:
      writeValueStatement(to, statement);
  }
}

/** Arrays by their positions, sets by their members; of objects the keys are listed first. */
function writeScan(to: FunctionWriter, statement: Statement<"ScanStmt">): void {
  const source = to.local(statement.source);
  const [key, value] = [to.local(statement.key), to.local(statement.value)];
  const [from, list, kind] = [to.temporary(), to.temporary(), to.temporary()];
  const [at, end] = [to.temporary(), to.temporary()];
  const isOrdered = isOrderSeen(statement.block);
  to.line(`if(typeof ${source}==="object"&&${source}!==null){${from}=${source};`);
  to.line(`if(Array.isArray(${from})){${list}=${from};${kind}=0;r.spend(${list}.length);}`);
  to.line(`else{${list}=${to.helper(countedKeys)}(${from},${isOrdered},r);`);
  to.line(`${kind}=${from} instanceof ${to.helper(RegoSet)}?1:2;}`);
  to.line(`for(${at}=0,${end}=${list}.length;${at}<${end};${at}++){r.spend(1);`);
  to.line(`${key}=${kind}===0?${at}:${list}[${at}];`);
  to.line(`${value}=${kind}===2?${to.helper(getKey)}(${from},${list}[${at}]):${list}[${at}];`);
  to.block(() => writeStatements(to, statement.block));
  to.line("}}");
}

function countedKeys(
  collection: Exclude<Collection, readonly RegoValue[]>,
  isOrdered: boolean,
  run: Run,
): readonly RegoValue[] {
  run.spend(membersOf(collection));
  return scannedKeys(collection, isOrdered);
}

/** However the block is left, the variable and the documents are those of before. */
function writeWith(to: FunctionWriter, statement: Statement<"WithStmt">): void {
  const local = to.local(statement.local);
  const [before, world] = [to.temporary(), to.temporary()];
  const path = to.parameter(statement.path);
  to.line(`${before}=${local};${world}=r.world;`);
  to.line(`${local}=${to.helper(upsert)}(${before},${path},${to.operand(statement.value)},r);`);
  to.line(`r.switchWorld(${to.local(0)},${to.local(1)});try{`);
  to.deeper(() => writeStatements(to, statement.block));
  to.line(`}finally{${local}=${before};r.world=${world};}`);
}

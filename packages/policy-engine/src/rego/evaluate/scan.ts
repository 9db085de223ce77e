/** The one loop there is: a block for every element of a collection. */
import { plainKeys } from "../../plain-keys.ts";
import type { Statement } from "../plan/statements.ts";
import {
  getKey,
  isArray,
  isSet,
  RegoObject,
  RegoSet,
  type RegoValue,
  sizeOf,
  sortedKeysOf,
} from "../values.ts";
import type { CompileBlock } from "./control.ts";
import type { FunctionScope } from "./function.ts";
import { isOrderSeen } from "./order.ts";
import { afterBlock, goOn, type Step } from "./step.ts";

/**
 * Runs its block for every element, in Rego's order where the block can tell, else in whichever is at hand. Other
 * values have no elements.
 */
export function scan(statement: Statement<"ScanStmt">, compile: CompileBlock, scope: FunctionScope): Step {
  const source = scope.slot(statement.source);
  const keySlot = scope.slot(statement.key);
  const valueSlot = scope.slot(statement.value);
  const body = compile(statement.block);
  const isOrdered = isOrderSeen(statement.block);
  return (locals, run) => {
    const collection = locals[source];
    if (typeof collection !== "object" || collection === null) return goOn;
    run.spend(membersOf(collection));
    const keys = keysOf(collection, isOrdered);
    const length = keys ? keys.length : lengthOf(collection);
    for (let at = 0; at < length; at++) {
      const key = keys ? keys[at] : at;
      run.spend(1);
      locals[keySlot] = key;
      locals[valueSlot] = elementAt(collection, key);
      const next = afterBlock(body(locals, run));
      if (next !== goOn) return next;
    }
    return goOn;
  };
}

export type Collection = Exclude<RegoValue, null | boolean | number | bigint | string>;

/** How many turns a scan takes. */
export function membersOf(collection: Collection): number {
  if (isArray(collection)) return collection.length;
  return isSet(collection) ? collection.size : sizeOf(collection);
}

/** A list of its own, as the block may add to the collection; arrays need none, their keys are the positions. */
function keysOf(collection: Collection, isOrdered: boolean): readonly RegoValue[] | undefined {
  return isArray(collection) ? undefined : scannedKeys(collection, isOrdered);
}

export function scannedKeys(
  collection: Exclude<Collection, readonly RegoValue[]>,
  isOrdered: boolean,
): readonly RegoValue[] {
  if (collection instanceof RegoSet) return isOrdered ? collection.sorted() : collection.items();
  if (collection instanceof RegoObject) return isOrdered ? collection.sortedKeys() : collection.keys();
  return isOrdered ? sortedKeysOf(collection) : plainKeys(collection);
}

const lengthOf = (collection: Collection): number => (isArray(collection) ? collection.length : 0);

function elementAt(collection: Collection, key: RegoValue | undefined): RegoValue | undefined {
  if (isArray(collection)) return typeof key === "number" ? collection[key] : undefined;
  if (key === undefined || isSet(collection)) return key;
  return getKey(collection, key);
}

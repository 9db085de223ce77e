import type { ComprehensionExpr } from "./ast.ts";
import { LIST_COST } from "./compile-literal.ts";
import type { Compiler } from "./compiler.ts";
import { type Recognized, recognize } from "./comprehension-kind.ts";
import { CelError } from "./errors.ts";
import { goTypeName } from "./fields.ts";
import { formatValue } from "./format-value.ts";
import { constantNode, type Eval, type Frame, type Node, Thrown, valueOrThrown } from "./frame.ts";
import { writeQuantifier } from "./generate/write-logic.ts";
import { mapEntries, mapKeys } from "./maps.ts";
import { CelMap, type CelValue, isMap, mapKey } from "./values.ts";

// Costs are those of the macros' expansions, node by node (interpreter/runtimecost.go in cel-go): reading the
// accumulator costs 1, its test 1 or 2 and so on. They are added up here because the loops are written out.

/** Compiles the fold that a macro came down to: as a loop of its own kind, or step by step when it is of none. */
export function compileComprehension(compiler: Compiler, expr: ComprehensionExpr): Node {
  const kind = recognize(expr);
  if (kind?.kind === "bind") return compileBind(compiler, expr);
  const range = compiler.compile(expr.range);
  const slot = compiler.newSlot();
  const slot2 = expr.iterVar2 === undefined ? undefined : compiler.newSlot();
  const variables = [{ name: expr.iterVar, slot }];
  if (expr.iterVar2 !== undefined && slot2 !== undefined)
    variables.push({ name: expr.iterVar2, slot: slot2 });
  const loop: Loop = { range: range.run, slot, slot2 };
  if (kind === undefined) return { run: compileGeneric(compiler, expr, loop, variables) };
  return compiler.within(variables, () => compileKind(compiler, kind, range, loop));
}

function compileQuantifier(predicate: Node, isExists: boolean, range: Node, loop: Loop): Node {
  const run = quantifier(loop, predicate.run, isExists);
  if (loop.slot2 !== undefined) return { run };
  const { slot } = loop;
  const listed = (value: CelValue): readonly CelValue[] => itemsOf(value, false).first ?? [];
  return { run, write: writeQuantifier({ range, itemsOf: listed, slot, predicate, isExists }) };
}

interface Loop {
  readonly range: Eval;
  readonly slot: number;
  /** Set when the loop has two variables. */
  readonly slot2: number | undefined;
}

function compileKind(
  compiler: Compiler,
  kind: Exclude<Recognized, { kind: "bind" }>,
  range: Node,
  loop: Loop,
): Node {
  switch (kind.kind) {
    case "all":
    case "exists":
      return compileQuantifier(compiler.compile(kind.predicate), kind.kind === "exists", range, loop);
    case "existsOne":
      return { run: existsOne(loop, compiler.run(kind.predicate)) };
    case "list": {
      const filter = kind.filter === undefined ? undefined : compiler.run(kind.filter);
      return { run: gatherList(loop, filter, compiler.compile(kind.element)) };
    }
    case "map": {
      const filter = kind.filter === undefined ? undefined : compiler.run(kind.filter);
      const key = kind.key === undefined ? undefined : compiler.run(kind.key);
      return { run: gatherMap(loop, filter, key, compiler.run(kind.value)) };
    }
  }
}

function compileBind(compiler: Compiler, expr: ComprehensionExpr): Node {
  const init = compiler.compile(expr.init);
  const slot = compiler.newSlot();
  const variable = { name: expr.accuVar, slot, init: init.run };
  const { run, constant } = compiler.within([variable], () => compiler.compile(expr.result));
  if (constant !== undefined) return constantNode(constant);
  return {
    run: (frame) => {
      frame.slots[slot] = undefined;
      return run(frame);
    },
  };
}

interface Items {
  /** What the first variable stands for; undefined: the positions of `second`. */
  readonly first: readonly CelValue[] | undefined;
  readonly second: readonly CelValue[] | undefined;
  readonly count: number;
}

function itemsOf(range: CelValue, hasTwo: boolean): Items {
  if (Array.isArray(range)) {
    const list: readonly CelValue[] = range;
    return hasTwo
      ? { first: undefined, second: list, count: list.length }
      : { first: list, second: undefined, count: list.length };
  }
  if (isMap(range)) {
    const first = mapKeys(range);
    const second = hasTwo ? Array.from(mapEntries(range), ([, value]) => value) : undefined;
    return { first, second, count: first.length };
  }
  throw new CelError(
    hasTwo
      ? `unsupported comprehension range type: ${goTypeName(range)}`
      : `got '${goTypeName(range)}', expected iterable type`,
  );
}

function setItem(frame: Frame, loop: Loop, items: Items, at: number): void {
  frame.slots[loop.slot] = items.first === undefined ? at : (items.first[at] ?? null);
  if (loop.slot2 !== undefined) frame.slots[loop.slot2] = items.second?.[at] ?? null;
}

/**
 * `all` and `exists`: the first element that settles it ends the loop. Elements without an answer are passed over,
 * and their error is the result if nothing settles it.
 */
function quantifier(loop: Loop, predicate: Eval, decisive: boolean): Eval {
  const testCost = decisive ? 3 : 2;
  const hasTwo = loop.slot2 !== undefined;
  return (frame) => {
    const items = itemsOf(loop.range(frame), hasTwo);
    let failure: CelError | undefined;
    for (let at = 0; at < items.count; at++) {
      frame.cost += testCost + 1;
      frame.tick();
      setItem(frame, loop, items, at);
      const answer = answerOf(predicate, frame);
      if (answer === decisive) {
        // The test that ends the loop is made before the next element only.
        frame.cost += at + 1 < items.count ? testCost + 1 : 1;
        return decisive;
      }
      if (typeof answer !== "boolean") failure ??= answer;
    }
    frame.cost += 1;
    if (failure !== undefined) throw failure;
    return !decisive;
  };
}

function answerOf(predicate: Eval, frame: Frame): boolean | CelError {
  try {
    const value = predicate(frame);
    return typeof value === "boolean" ? value : new CelError("no such overload");
  } catch (error) {
    if (error instanceof CelError) return error;
    throw error;
  }
}

// Loops that gather go on after an element without a value, since in cel-go the accumulator is then an error and the
// steps are taken all the same. An element keeps the first error, a filter puts its own in place.

function existsOne(loop: Loop, predicate: Eval): Eval {
  const hasTwo = loop.slot2 !== undefined;
  return (frame) => {
    const items = itemsOf(loop.range(frame), hasTwo);
    let found = 0;
    let failure: CelError | undefined;
    for (let at = 0; at < items.count; at++) {
      frame.tick();
      setItem(frame, loop, items, at);
      const answer = answerOf(predicate, frame);
      if (answer === true) {
        frame.cost += 2;
        found++;
      } else if (answer !== false) {
        failure = answer;
      }
    }
    frame.cost += 2;
    if (failure !== undefined) throw failure;
    return found === 1;
  };
}

function gatherList(loop: Loop, filter: Eval | undefined, element: Node): Eval {
  const { run } = element;
  // Reading the accumulator, a list of one, and joining the two.
  const stepCost = 2 + (element.constant === undefined ? LIST_COST : 0);
  const hasTwo = loop.slot2 !== undefined;
  return (frame) => {
    const items = itemsOf(loop.range(frame), hasTwo);
    const list: CelValue[] = [];
    let failure: CelError | undefined;
    for (let at = 0; at < items.count; at++) {
      frame.tick();
      setItem(frame, loop, items, at);
      const isKept = filter === undefined || answerOf(filter, frame);
      if (isKept === true) {
        frame.cost += stepCost;
        const value = valueOrThrown(run, frame);
        if (value instanceof Thrown) failure ??= value.error;
        else list.push(value);
      } else if (isKept !== false) {
        failure = isKept;
      }
    }
    frame.cost += 1;
    if (failure !== undefined) throw failure;
    return list;
  };
}

/** Without `key` the value is a map of the entries to add. */
function gatherMap(loop: Loop, filter: Eval | undefined, key: Eval | undefined, value: Eval): Eval {
  const hasTwo = loop.slot2 !== undefined;
  return (frame) => {
    const items = itemsOf(loop.range(frame), hasTwo);
    const entries: Entries = new Map();
    let failure: CelError | undefined;
    for (let at = 0; at < items.count; at++) {
      frame.tick();
      setItem(frame, loop, items, at);
      const isKept = filter === undefined || answerOf(filter, frame);
      if (isKept === true) failure = addEntries(entries, key, value, frame, failure);
      else if (isKept !== false) failure = isKept;
    }
    frame.cost += 1;
    if (failure !== undefined) throw failure;
    return CelMap.of(entries.values());
  };
}

type Entries = Map<unknown, readonly [CelValue, CelValue]>;

/** Returns the error that the accumulator now is, if any. */
function addEntries(
  entries: Entries,
  key: Eval | undefined,
  value: Eval,
  frame: Frame,
  failure: CelError | undefined,
): CelError | undefined {
  frame.cost += 1;
  try {
    if (key === undefined) {
      frame.cost += 1;
      insertAll(entries, value(frame));
    } else if (failure === undefined) {
      // A call with three arguments stops at the first without a value.
      const entry = [key(frame), value(frame)] as const;
      frame.cost += 1;
      insert(entries, ...entry);
    }
    return failure;
  } catch (error) {
    if (error instanceof CelError) return failure ?? error;
    throw error;
  }
}

function insert(entries: Map<unknown, readonly [CelValue, CelValue]>, key: CelValue, value: CelValue): void {
  const filed = mapKey(key);
  if (entries.has(filed)) throw new CelError(`insert failed: key ${formatValue(key)} already exists`);
  entries.set(filed, [key, value]);
}

function insertAll(entries: Entries, added: CelValue): void {
  if (!isMap(added)) throw new CelError("no such overload");
  for (const [key, value] of mapEntries(added)) insert(entries, key, value);
}

/** A fold of no known kind, as the specification describes it. */
function compileGeneric(
  compiler: Compiler,
  expr: ComprehensionExpr,
  loop: Loop,
  variables: readonly { name: string; slot: number }[],
): Eval {
  const init = compiler.run(expr.init);
  const slot = compiler.newSlot();
  const accumulator = { name: expr.accuVar, slot };
  const [condition, step] = compiler.within([accumulator, ...variables], () => [
    compiler.run(expr.condition),
    compiler.run(expr.step),
  ]);
  const result = compiler.within([accumulator], () => compiler.run(expr.result));
  const hasTwo = loop.slot2 !== undefined;
  return (frame) => {
    const items = itemsOf(loop.range(frame), hasTwo);
    frame.slots[slot] = valueOrThrown(init, frame);
    for (let at = 0; at < items.count; at++) {
      frame.tick();
      setItem(frame, loop, items, at);
      if (valueOrThrown(condition, frame) === false) break;
      frame.slots[slot] = valueOrThrown(step, frame);
    }
    return result(frame);
  };
}

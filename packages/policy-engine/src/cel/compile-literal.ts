import type { ListExpr, MapExpr, StructExpr } from "./ast.ts";
import type { Compiler } from "./compiler.ts";
import { CelCompileError, CelError } from "./errors.ts";
import { formatValue } from "./format-value.ts";
import { constantNode, type Eval, type Frame, type Node } from "./frame.ts";
import { CelMap, CelOptional, CelStruct, type CelValue, mapKey } from "./values.ts";

/** What making a list, map or object costs (cel-go common/cost.go). */
export const LIST_COST = 10;
export const MAP_COST = 30;
export const STRUCT_COST = 40;

export function compileList(compiler: Compiler, expr: ListExpr): Node {
  const nodes = expr.elements.map(({ value }) => compiler.compile(value));
  if (expr.elements.some((element) => element.isOptional)) {
    return { run: optionalList(nodes.map((node, at) => [node.run, expr.elements[at]?.isOptional === true])) };
  }
  const constants = nodes.map((node) => node.constant);
  if (constants.every((constant) => constant !== undefined)) return constantNode(constants);
  const runs = nodes.map((node) => node.run);
  return {
    run: (frame) => {
      frame.cost += LIST_COST;
      const list: CelValue[] = [];
      for (const run of runs) list.push(run(frame));
      return list;
    },
  };
}

function optionalList(elements: readonly (readonly [Eval, boolean])[]): Eval {
  return (frame) => {
    frame.cost += LIST_COST;
    const list: CelValue[] = [];
    for (const [run, isOptional] of elements) {
      const value = run(frame);
      if (!isOptional) {
        list.push(value);
        continue;
      }
      if (!(value instanceof CelOptional)) {
        throw new CelError(
          `cannot initialize optional list element from non-optional value ${formatValue(value)}`,
        );
      }
      if (value.value !== undefined) list.push(value.value);
    }
    return list;
  };
}

export function compileMap(compiler: Compiler, expr: MapExpr): Node {
  const entries = expr.entries.map(({ key, value, isOptional }) => ({
    key: compiler.compile(key),
    value: compiler.compile(value),
    isOptional,
  }));
  const make = (frame: Frame): CelValue => {
    frame.cost += MAP_COST;
    const made: (readonly [CelValue, CelValue])[] = [];
    for (const { key, value, isOptional } of entries) {
      const keyValue = key.run(frame);
      const held = entryValue(value.run(frame), isOptional, keyValue);
      if (held !== undefined) made.push([keyValue, held]);
    }
    return CelMap.of(made);
  };
  const isConstant = entries.every(
    ({ key, value, isOptional }) => !isOptional && key.constant !== undefined && value.constant !== undefined,
  );
  if (!isConstant || !entries.every(({ key }) => mapKey(key.constant ?? null) !== undefined))
    return { run: make };
  return constantNode(
    CelMap.of(entries.map(({ key, value }) => [key.constant ?? null, value.constant ?? null] as const)),
  );
}

/** The value to put in place; undefined for an optional entry without one. */
function entryValue(value: CelValue, isOptional: boolean, field: CelValue): CelValue | undefined {
  if (!isOptional) return value;
  if (value instanceof CelOptional) return value.value;
  throw new CelError(
    `cannot initialize optional entry '${formatValue(field)}' from non-optional value ${formatValue(value)}`,
  );
}

export function compileStruct(compiler: Compiler, expr: StructExpr): Node {
  const declaration = compiler.env.findType(expr.typeName);
  if (declaration === undefined) {
    throw new CelCompileError([{ line: -1, column: -1, message: `unknown type: ${expr.typeName}` }]);
  }
  const construct = declaration.construct ?? ((fields) => new CelStruct(declaration.name, fields));
  const fields = expr.fields.map(({ name, value, isOptional }) => ({
    name,
    run: compiler.run(value),
    isOptional,
  }));
  return {
    run: (frame) => {
      frame.cost += STRUCT_COST;
      const made = new Map<string, CelValue>();
      for (const { name, run, isOptional } of fields) {
        const held = entryValue(run(frame), isOptional, name);
        if (held === undefined) made.delete(name);
        else made.set(name, held);
      }
      return construct(made);
    },
  };
}

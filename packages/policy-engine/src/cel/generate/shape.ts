import { Interned } from "../../interned.ts";
import type { Eval } from "../frame.ts";

/** Makes a program of what is bound in its text. */
type Shape = (bound: readonly unknown[]) => Eval;

/**
 * Shapes by text: two hundred policies are a few dozen of them. V8 then has so many functions to watch, optimise and keep
 * instead of one a policy, each hot long before any policy is by itself. One goes with the last program made of it.
 */
const shapes = new Interned<Shape>();
/** What holds a shape: its programs. */
const holders = new WeakMap<Eval, Shape>();

/** Throws `EvalError` where the process allows no code from strings. */
export function programOf(source: string, keys: readonly string[], bound: readonly unknown[]): Eval {
  const key = JSON.stringify([source, keys]);
  let shape = shapes.get(key);
  if (shape === undefined) {
    shape = new Function("k", source) as Shape;
    shapes.add(key, shape);
  }
  const program = shape(bound);
  holders.set(program, shape);
  return program;
}

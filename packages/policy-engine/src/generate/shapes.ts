import { Interned } from "../interned.ts";

/** Makes a function of what is bound in its text. */
type Shape<F> = (bound: readonly unknown[]) => F;

/** A function's text, and what its names stand for. */
export interface GeneratedText {
  readonly source: string;
  readonly bound: readonly unknown[];
  /** Names that are no part of the text, of fields for instance: what reads or calls the same belongs together. */
  readonly keys: readonly string[];
}

/** Functions and classes of ours that texts name. They are as many as the code of this package has. */
const helpers: object[] = [];
const numbers = new Map<object, number>();

export function numberOfHelper(helper: object): number {
  const known = numbers.get(helper);
  if (known !== undefined) return known;
  const number = helpers.push(helper) - 1;
  numbers.set(helper, number);
  return number;
}

/**
 * Shapes by text: two hundred policies are a few dozen of them. V8 then has so many functions to watch, optimise and keep
 * instead of one a policy, each hot long before any policy is by itself. One goes with the last function made of it.
 */
export class Shapes<F extends object> {
  readonly #shapes = new Interned<Shape<F>>();
  /** What holds a shape: the functions made of it. */
  readonly #holders = new WeakMap<F, Shape<F>>();

  /** Throws `EvalError` where the process allows no code from strings. */
  functionOf({ source, keys, bound }: GeneratedText): F {
    const key = JSON.stringify([source, keys]);
    let shape = this.#shapes.get(key);
    if (shape === undefined) {
      shape = new Function("h", source)(helpers) as Shape<F>;
      this.#shapes.add(key, shape);
    }
    const made = shape(bound);
    this.#holders.set(made, shape);
    return made;
  }
}

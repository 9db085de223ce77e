/**
 * The outcome of a parser that foreign text is given to: the value, or why there is none. Returned rather than
 * thrown, since `isIP`, `isURL`, `isQuantity`... ask the same question and an answer of "no" is no error.
 */
export type Parsed<T> = { readonly value: T } | { readonly error: string };

export function parsed<T>(value: T): Parsed<T> {
  return { value };
}

export function unparsed(error: string): { readonly error: string } {
  return { error };
}

/**
 * Objects with CEL in them. A string that begins with `${` and ends with `}` is one expression, whatever is between; every
 * other string is itself. So there is nothing to escape, and text such as `echo ${HOME} now` needs no care.
 */

import { isJsonList, isJsonRecord, type Json, type JsonRecord } from "../cel/kubernetes/json.ts";
import { celToJson } from "../cel/kubernetes/patch-values.ts";
import { setOwnKey } from "../own-key.ts";
import { PolicyCompileError } from "../policy-set/errors.ts";
import type { ExpressionField, Value } from "./expressions.ts";

/** Deeper than any object of the kinds there are. */
const MAX_DEPTH = 32;

/** The expression that a string of a template is; undefined for text. */
export function expressionIn(text: string): string | undefined {
  return text.startsWith("${") && text.endsWith("}") ? text.slice(2, -1) : undefined;
}

/**
 * The expressions in `template`, in the order in which {@link filled} wants their values.
 * @throws PolicyCompileError where it is nested too deeply
 */
export function expressionsOf(template: Json, path: string): ExpressionField[] {
  const found: ExpressionField[] = [];
  walk(template, path, 0, (expression, at) => {
    found.push({ path: at, expression });
    return null;
  });
  return found;
}

export type Filled = { readonly object: Json } | { readonly problem: string };

/** The template with its expressions replaced by what they came to, in order. */
export function filled(template: Json, path: string, values: readonly Value[]): Filled {
  let next = 0;
  let problem: string | undefined;
  const object = walk(template, path, 0, (_, at) => {
    const value = values[next++];
    if (value?.kind === "value") {
      try {
        return celToJson(value.value);
      } catch (error) {
        problem ??= `${at}: ${error instanceof Error ? error.message : String(error)}`;
        return null;
      }
    }
    problem ??= `${at}: ${value?.message ?? "no value"}`;
    return null;
  });
  return problem === undefined ? { object } : { problem };
}

function walk(
  value: Json,
  path: string,
  depth: number,
  replace: (expression: string, path: string) => Json,
): Json {
  if (depth > MAX_DEPTH)
    throw new PolicyCompileError(
      "Invalid",
      path,
      `is nested deeper than ${MAX_DEPTH} levels: no object of these kinds is`,
    );
  if (typeof value === "string") {
    const expression = expressionIn(value);
    return expression === undefined ? value : replace(expression, path);
  }
  if (isJsonList(value)) return value.map((item, at) => walk(item, `${path}[${at}]`, depth + 1, replace));
  if (!isJsonRecord(value)) return value;
  const record: Record<string, Json> = {};
  for (const [key, item] of Object.entries(value))
    setOwnKey(record, key, walk(item, `${path}.${key.slice(0, 80)}`, depth + 1, replace));
  return record as JsonRecord;
}

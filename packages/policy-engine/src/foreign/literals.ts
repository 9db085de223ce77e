/** JSON as source of CEL and of Rego. Whatever is in it, nothing breaks out of the literal. */
import { celString } from "../native/cel-text.ts";
import { isPlain } from "./plain.ts";

/** As deep as parameters of a constraint may be; deeper ones are no settings. */
const deepest = 32;

/** Thrown for what has no literal. */
export class LiteralError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "LiteralError";
  }
}

/**
 * A CEL expression of type dyn. The API server takes only lists and maps of one type of values, so that each value is
 * wrapped.
 *
 * @throws LiteralError
 */
export function celLiteral(value: unknown, depth = 0): string {
  if (depth > deepest) throw new LiteralError(`is nested deeper than ${deepest} levels`);
  const wrapped = (item: unknown) => `dyn(${celLiteral(item, depth + 1)})`;
  if (value === null || value === undefined) return "null";
  switch (typeof value) {
    case "string":
      return celString(value);
    case "boolean":
      return String(value);
    case "number":
      return celNumber(value);
    default:
  }
  if (Array.isArray(value)) return `[${value.map(wrapped).join(", ")}]`;
  if (!isPlain(value)) throw new LiteralError("is not JSON");
  const members = Object.entries(value).map(([key, item]) => `${celString(key)}: ${wrapped(item)}`);
  return `{${members.join(", ")}}`;
}

function celNumber(value: number): string {
  if (!Number.isFinite(value)) throw new LiteralError(`${value} is not JSON`);
  if (Number.isSafeInteger(value)) return String(value === 0 ? 0 : value);
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/**
 * A Rego term: JSON is Rego. On lines of its own where it is long.
 *
 * @throws LiteralError
 */
export function regoLiteral(value: unknown): string {
  checkDepth(value, 0);
  const short = JSON.stringify(value) ?? "null";
  return short.length <= 80 ? short : JSON.stringify(value, null, 2);
}

function checkDepth(value: unknown, depth: number): void {
  if (depth > deepest) throw new LiteralError(`is nested deeper than ${deepest} levels`);
  if (typeof value === "number" && !Number.isFinite(value)) throw new LiteralError(`${value} is not JSON`);
  if (typeof value !== "object" || value === null) return;
  for (const item of Object.values(value)) checkDepth(item, depth + 1);
}

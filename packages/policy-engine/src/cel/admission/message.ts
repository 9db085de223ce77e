/** What a person is told whose request breaks a rule (policy/validating/validator.go). */
import { MAX_MESSAGE_BYTES } from "./limits.ts";
import type { ValidationSpec } from "./spec.ts";

/**
 * The result of messageExpression when it is a usable text, else `message`, else the expression itself.
 * `fromExpression` is what messageExpression gave: anything, or undefined when it failed or there is none.
 */
export function failureMessage(validation: ValidationSpec, fromExpression: unknown): string {
  const expressed = usableText(fromExpression);
  if (expressed !== "") return expressed;
  const message = trimGoSpace(validation.message ?? "");
  if (message !== "") return message;
  return `failed expression: ${trimGoSpace(validation.expression)}`;
}

/** A text of one line, not blank and not longer than allowed; anything else counts as no message. */
function usableText(value: unknown): string {
  if (typeof value !== "string") return "";
  const text = trimGoSpace(value);
  return Buffer.byteLength(text) > MAX_MESSAGE_BYTES || text.includes("\n") ? "" : text;
}

/**
 * Without the white space around it, as Go's strings.TrimSpace has it (Unicode White_Space): unlike String.trim it
 * takes U+0085 and leaves U+FEFF.
 */
export function trimGoSpace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isGoSpace(text.charCodeAt(start))) start++;
  while (end > start && isGoSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

const goSpaces = new Set([
  ...[0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x20, 0x85, 0xa0, 0x1680],
  ...[0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200a],
  ...[0x2028, 0x2029, 0x202f, 0x205f, 0x3000],
]);

function isGoSpace(unit: number): boolean {
  return goSpaces.has(unit);
}

/** The values templates compute with, and the functions they call on them (Go's text/template/funcs.go). */
import {
  compareValues,
  enterValue,
  equalValues,
  getKey,
  isArray,
  isNumber,
  isObject,
  isSet,
  type RegoValue,
  sizeOf,
  sortedKeysOf,
} from "../../values.ts";
import { countWork } from "../../work-meter.ts";
import { byteLength } from "./bytes.ts";
import { jsonEntries } from "./json-text.ts";
import { numberText } from "./number-text.ts";
import { type PrintfArgument, printf } from "./printf.ts";
import { isPrintable } from "./quote.ts";
import { TemplateError } from "./template-tokens.ts";
import { escapeUrl } from "./url.ts";

/** Units of work beyond a look: a copy takes memory. */
const copyCost = 8;

/**
 * The variables as OPA hands them to a template: numbers are json.Number there, which is a string to every function
 * and test. `{{if .count}}` holds for 0, and `eq .count 3` compares a string with a number.
 */
export function templateData(value: RegoValue, depth = 0): RegoValue {
  if (isNumber(value)) {
    return numberText(value);
  }
  if (typeof value !== "object" || value === null) {
    return value;
  }
  enterValue(depth);
  countWork(copyCost);
  if (isArray(value) || isSet(value)) {
    const list = isSet(value) ? value.sorted() : value;
    return list.map((item) => templateData(item, depth + 1));
  }
  const object: Record<string, RegoValue> = Object.create(null);
  for (const [key, item] of jsonEntries(value)) {
    object[key] = templateData(item, depth + 1);
  }
  return object;
}

/** A value, or that there is none: a key that is missing. */
export type Value = RegoValue | undefined;

/** Go's fmt of a decoded JSON value by `%v`. */
export function goText(value: Value, depth = 0): string {
  if (value === undefined || value === null) {
    return depth === 0 ? "<no value>" : "<nil>";
  }
  if (typeof value === "string") {
    countWork(value.length >>> 4);
    return value;
  }
  if (typeof value === "boolean") {
    return String(value);
  }
  if (isNumber(value)) {
    return numberText(value);
  }
  enterValue(depth);
  if (isArray(value) || isSet(value)) {
    const list = isSet(value) ? value.sorted() : value;
    return `[${list.map((item) => goText(item, depth + 1)).join(" ")}]`;
  }
  const entries = sortedKeysOf(value).map(
    (key) => `${goText(key, depth + 1)}:${goText(getKey(value, key), depth + 1)}`,
  );
  return `map[${entries.join(" ")}]`;
}

export function isTrue(value: Value): boolean {
  if (value === undefined || value === null || value === false || value === "") {
    return false;
  }
  if (isNumber(value)) {
    return value !== 0 && value !== 0n;
  }
  if (isArray(value)) {
    return value.length > 0;
  }
  if (isSet(value)) {
    return value.size > 0;
  }
  return isObject(value) ? sizeOf(value) > 0 : true;
}

export function field(value: Value, name: string): Value {
  if (value === undefined || value === null) {
    return undefined;
  }
  if (!isObject(value)) {
    throw new TemplateError(`can't evaluate field ${name}`);
  }
  return getKey(value, name);
}

function indexed(value: Value, key: Value): Value {
  if (value === undefined || value === null || key === undefined) {
    throw new TemplateError("error calling index: index of untyped nil");
  }
  if (isArray(value)) {
    const found = isNumber(key) ? value[Number(key)] : undefined;
    if (found === undefined) {
      throw new TemplateError(`error calling index: index out of range: ${goText(key)}`);
    }
    return found;
  }
  if (isObject(value)) {
    return getKey(value, key);
  }
  throw new TemplateError("error calling index: can't index item");
}

function lengthOf(value: Value): number {
  if (typeof value === "string") {
    return byteLength(value);
  }
  if (value !== undefined && isArray(value)) {
    return value.length;
  }
  if (value !== undefined && value !== null && isObject(value)) {
    return sizeOf(value);
  }
  throw new TemplateError("error calling len: the value has no length");
}

function sliced(args: readonly Value[]): Value {
  const [value, from = 0, to] = args;
  if (value === undefined || !(typeof value === "string" || isArray(value))) {
    throw new TemplateError("error calling slice: can't slice item");
  }
  const end = to === undefined ? value.length : Number(to);
  if (!(Number(from) >= 0 && Number(from) <= end && end <= value.length)) {
    throw new TemplateError("error calling slice: index out of range");
  }
  return value.slice(Number(from), end);
}

function formatted(args: readonly Value[]): string {
  const [format, ...rest] = args;
  if (typeof format !== "string") {
    throw new TemplateError("error calling printf: the format is no string");
  }
  const parts: string[] = [];
  let length = 0;
  const values = rest.map(
    (value): PrintfArgument => (value !== undefined && isNumber(value) ? value : goText(value)),
  );
  printf(format, values, (text) => {
    length += text.length;
    if (length > 1_000_000) {
      throw new TemplateError("error calling printf: the result is too long");
    }
    parts.push(text);
  });
  return parts.join("");
}

/** fmt.Sprint: a space between operands when neither is a string. */
function printed(args: readonly Value[]): string {
  let text = "";
  for (const [index, value] of args.entries()) {
    const spaced = index > 0 && typeof value !== "string" && typeof args[index - 1] !== "string";
    text += (spaced ? " " : "") + goText(value);
  }
  return text;
}

const HTML: Readonly<Record<string, string>> = {
  "<": "&lt;",
  ">": "&gt;",
  "&": "&amp;",
  '"': "&#34;",
  "'": "&#39;",
};

function escapeHtml(text: string): string {
  return Array.from(text, (character) => (Object.hasOwn(HTML, character) ? HTML[character] : character)).join(
    "",
  );
}

const SCRIPT: ReadonlyMap<string, string> = new Map([
  ["\\", "\\\\"],
  ["'", "\\'"],
  ['"', '\\"'],
  ["<", "\\u003C"],
  [">", "\\u003E"],
  ["&", "\\u0026"],
  ["=", "\\u003D"],
]);

function escapeScript(text: string): string {
  return Array.from(text, (character) => {
    const code = character.codePointAt(0) ?? 0;
    const plain = SCRIPT.get(character) ?? (isPrintable(code) ? character : undefined);
    return plain ?? `\\u${code.toString(16).toUpperCase().padStart(4, "0")}`;
  }).join("");
}

/** Of the same kind, or nothing at all; collections do not compare. */
function isEqual(left: Value, right: Value): boolean {
  const nothing = (value: Value) => value === undefined || value === null;
  if (nothing(left) || nothing(right)) {
    return nothing(left) && nothing(right);
  }
  if (typeof left === "object" || typeof right === "object") {
    throw new TemplateError("non-comparable type");
  }
  const kind = (value: Value) => (typeof value === "bigint" ? "number" : typeof value);
  if (kind(left) !== kind(right)) {
    throw new TemplateError("incompatible types for comparison");
  }
  return equalValues(left ?? null, right ?? null);
}

function ordered(args: readonly Value[], holds: (order: number) => boolean): boolean {
  const [left, right] = args;
  const comparable =
    left !== undefined &&
    right !== undefined &&
    ((isNumber(left) && isNumber(right)) || (typeof left === "string" && typeof right === "string"));
  if (!comparable) {
    throw new TemplateError("incompatible types for comparison");
  }
  return holds(compareValues(left, right));
}

export type TemplateFunction = (args: readonly Value[]) => Value;

export const templateFunctions: ReadonlyMap<string, TemplateFunction> = new Map<string, TemplateFunction>([
  ["not", ([value]) => !isTrue(value)],
  ["eq", ([first, ...others]) => others.some((other) => isEqual(first, other))],
  ["ne", ([left, right]) => !isEqual(left, right)],
  ["lt", (args) => ordered(args, (order) => order < 0)],
  ["le", (args) => ordered(args, (order) => order <= 0)],
  ["gt", (args) => ordered(args, (order) => order > 0)],
  ["ge", (args) => ordered(args, (order) => order >= 0)],
  ["len", ([value]) => lengthOf(value)],
  ["index", ([value, ...keys]) => keys.reduce(indexed, value)],
  ["slice", sliced],
  ["print", printed],
  ["println", (args) => `${args.map((value) => goText(value)).join(" ")}\n`],
  ["printf", formatted],
  ["html", (args) => escapeHtml(printed(args))],
  ["js", (args) => escapeScript(printed(args))],
  ["urlquery", (args) => escapeUrl(printed(args), "query")],
]);

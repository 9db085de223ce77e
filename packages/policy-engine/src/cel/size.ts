import { codePointLength } from "./code-points.ts";
import { mapSize } from "./maps.ts";
import { CelOptional, type CelValue, isMap } from "./values.ts";

/** The size of a string (code points), bytes, list or map; undefined for what has none. */
export function sizeOf(value: CelValue): number | undefined {
  if (typeof value === "string") return codePointLength(value);
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length;
  if (typeof value === "object" && isMap(value)) return mapSize(value);
  return undefined;
}

/** The size that costs go by: 1 for what has no size (actualSize in cel-go interpreter/runtimecost.go). */
export function costSize(value: CelValue): number {
  if (value instanceof CelOptional && value.value !== undefined) return costSize(value.value);
  return sizeOf(value) ?? 1;
}

/** Cost of reading a string once, per code point (cel-go common/cost.go). */
const STRING_TRAVERSAL = 0.1;
/** Cost of a regular expression per code point of its pattern (cel-go common/cost.go). */
const REGEX_LENGTH = 0.25;

/** The cost of traversing something of this size `times` over. */
export const traversalCost = (size: number, times = 1): number => Math.ceil(size * times * STRING_TRAVERSAL);

/** The cost of matching a text of one size with a pattern of another. */
export const regexCost = (textSize: number, patternSize: number): number =>
  traversalCost(textSize + 1) * Math.ceil(patternSize * REGEX_LENGTH);

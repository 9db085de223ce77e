/**
 * The most one call of a built-in may make. OPA has no such limits and relies on cancellation; here a policy
 * shares a process with admission, so growth is refused before it happens, with an error that ends the query.
 */
import { countWork } from "../work-meter.ts";
import { LimitError } from "./contract.ts";

/** UTF-16 units a made string may have: more than a whole request, which is 3 MiB at most. */
export const maxTextLength = 4 * 1024 * 1024;
/** Elements a made array, set or object may have. */
export const maxElements = 262_144;
/**
 * Units that the arguments of one call may come to (argument-cost.ts): two texts, or lists, of the longest that can be made.
 * Comprehensions make longer lists, and nothing looks at the clock while a built-in goes through one.
 */
const maxArgumentCost = 2 * 262_144;

export function refuseLargeArguments(cost: number): void {
  if (cost > maxArgumentCost) {
    throw new LimitError(
      `the arguments of one call may come to ${maxArgumentCost} units of work (16 characters, or an element, each), and these come to ${cost}: give it a part of them`,
    );
  }
}
/** Bits an integer may have; OPA's parser stops at a binary exponent of 1e5 (v1/ast maxNumberExp). */
export const maxIntegerBits = 131_072;
/** Bytes of a pattern (regular expression, glob, template, layout) that is compiled. */
export const maxPatternLength = 64 * 1024;

/** Characters of YAML that are read, or of one text that is written: its reader and writer take microseconds for each, in steps that nothing can end. */
const maxYamlLength = 256 * 1024;

export function refuseLongYaml(text: string): void {
  if (text.length > maxYamlLength) {
    throw new LimitError(`yaml: a text may have at most ${maxYamlLength} characters; JSON may have more`);
  }
}

export function refuseLongText(length: number): void {
  if (length > maxTextLength) {
    throw new LimitError(`the result would be longer than ${maxTextLength} characters`);
  }
}

export function refuseManyElements(count: number): void {
  if (count > maxElements) {
    throw new LimitError(`the result would have more than ${maxElements} elements`);
  }
}

export function refuseLongPattern(pattern: string): void {
  if (pattern.length > maxPatternLength) {
    throw new LimitError(`a pattern may have at most ${maxPatternLength} characters`);
  }
}

/** Counts a text that is written part by part, as work and against the limit of its length. */
export class TextLength {
  #length = 0;

  /** Throws once all parts together are too long. */
  grown(part: string): string {
    this.#length += part.length;
    refuseLongText(this.#length);
    countWork(1 + (part.length >>> 4));
    return part;
  }
}

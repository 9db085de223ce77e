/**
 * Whether two patterns of the small language of `regex.globs_match` have a common match: literals, `.`, `[a-z]`,
 * each with `*` or `+` (the language and its errors are those of yashtewari/glob-intersection, which OPA uses).
 *
 * Every pair of positions is looked at once, so the time is bounded by the product of the lengths.
 */
import { type BuiltinContext, LimitError } from "./contract.ts";
import { refuseLongPattern } from "./limits.ts";
import { failure } from "./operands.ts";

/** Tokens of both patterns together; the search recurses. */
const maxTokens = 2_000;

interface Token {
  /** Code points it takes as ranges; undefined is any. */
  readonly ranges: readonly (readonly [number, number])[] | undefined;
  readonly repeat: "" | "*" | "+";
}

class Tokenizer {
  readonly #runes: readonly string[];
  readonly #input: string;
  #at = 0;

  constructor(input: string) {
    this.#input = input;
    this.#runes = Array.from(input);
  }

  tokens(): readonly Token[] {
    const tokens: Token[] = [];
    while (this.#at < this.#runes.length) {
      tokens.push(this.#token());
    }
    return tokens;
  }

  #fail(position: number, message: string): Error {
    return failure(`input:${this.#input}, pos:${position}, ${message}: the input provided is invalid`);
  }

  #rune(): { readonly rune: string; readonly escaped: boolean } {
    const rune = this.#runes[this.#at] ?? "";
    if (rune !== "\\") {
      this.#at += 1;
      return { rune, escaped: false };
    }
    const next = this.#runes[this.#at + 1];
    if (next === undefined) {
      throw this.#fail(this.#at, "input ends with a \\ (escape) character");
    }
    this.#at += 2;
    return { rune: next, escaped: true };
  }

  #token(): Token {
    const { rune, escaped } = this.#rune();
    let ranges: Token["ranges"];
    if (!escaped && rune === "[") {
      ranges = this.#set();
    } else if (escaped || rune !== ".") {
      if (!escaped && rune === "]") {
        throw this.#fail(this.#at, "set-close ']' with no preceding '['");
      }
      if (!escaped && (rune === "+" || rune === "*")) {
        throw this.#fail(this.#at, `flag '${rune}' must be preceded by a non-flag`);
      }
      const code = rune.codePointAt(0) ?? 0;
      ranges = [[code, code]];
    }
    const flag = this.#runes[this.#at];
    if (flag === "*" || flag === "+") {
      this.#at += 1;
      return { ranges, repeat: flag };
    }
    return { ranges, repeat: "" };
  }

  #set(): readonly (readonly [number, number])[] {
    const ranges: (readonly [number, number])[] = [];
    let previous: number | undefined;
    while (this.#at < this.#runes.length) {
      const { rune, escaped } = this.#rune();
      if (!escaped && rune === "]") {
        return ranges;
      }
      if (!escaped && rune === "-") {
        ranges.push(this.#range(previous));
        previous = undefined;
        continue;
      }
      previous = rune.codePointAt(0) ?? 0;
      ranges.push([previous, previous]);
    }
    throw this.#fail(this.#at, "found [ without matching ]");
  }

  #range(previous: number | undefined): readonly [number, number] {
    if (previous === undefined) {
      throw this.#fail(this.#at, "range character '-' must be preceded by a Unicode character");
    }
    if (this.#at >= this.#runes.length - 1) {
      throw this.#fail(this.#at, "range character '-' must be followed by a Unicode character");
    }
    const { rune, escaped } = this.#rune();
    if (!escaped && (rune === "]" || rune === "-")) {
      throw this.#fail(this.#at, "range character '-' cannot be followed by a special symbol");
    }
    const high = rune.codePointAt(0) ?? 0;
    if (high < previous) {
      const low = String.fromCodePoint(previous);
      throw this.#fail(this.#at, `range is out of order: '${rune}' comes before '${low}' in Unicode`);
    }
    return [previous, high];
  }
}

function meet(left: Token, right: Token): boolean {
  if (left.ranges === undefined || right.ranges === undefined) {
    return true;
  }
  const others = right.ranges;
  return left.ranges.some(([low, high]) => others.some(([from, to]) => low <= to && from <= high));
}

type Side = 0 | 1;

/**
 * The question OPA asks, which is not quite whether the languages meet: once one pattern is used up, starred tokens
 * left over in the other count as unmatched, unless the last of them was just at work (`.a*` and `.` do not meet).
 * Every sub-question is one of a position in each pattern and a mode, and is answered once.
 */
class Intersection {
  readonly #patterns: readonly [readonly Token[], readonly Token[]];
  readonly #answers = new Map<number, boolean>();
  readonly #spend: (units: number) => void;

  constructor(patterns: readonly [readonly Token[], readonly Token[]], spend: (units: number) => void) {
    this.#patterns = patterns;
    this.#spend = spend;
  }

  #key(mode: number, left: number, right: number): number {
    return (mode * (this.#patterns[0].length + 1) + left) * (this.#patterns[1].length + 1) + right;
  }

  /** One answer for all the questions that came down to it. */
  #answer(keys: readonly number[], answer: boolean): boolean {
    for (const key of keys) {
      this.#answers.set(key, answer);
    }
    return answer;
  }

  /** From these positions on, whatever the tokens are. */
  plain(left: number, right: number): boolean {
    const keys: number[] = [];
    for (let steps = 0; ; steps += 1) {
      const at: [number, number] = [left + steps, right + steps];
      const key = this.#key(0, ...at);
      const known = this.#answers.get(key) ?? this.#decided(at);
      keys.push(key);
      if (known !== undefined) {
        return this.#answer(keys, known);
      }
    }
  }

  /** Undefined when both tokens are plain and meet: the question moves on to the next two. */
  #decided(at: readonly [number, number]): boolean | undefined {
    const tokens = [this.#patterns[0][at[0]], this.#patterns[1][at[1]]] as const;
    const [one, other] = tokens;
    if (one === undefined || other === undefined) {
      return one === other;
    }
    this.#spend(1);
    if (one.repeat !== "" || other.repeat !== "") {
      const side: Side = one.repeat !== "" ? 0 : 1;
      return tokens[side]?.repeat === "+" ? this.#plus(side, at) : this.star(side, at);
    }
    return meet(one, other) ? undefined : false;
  }

  #moved(at: readonly [number, number], side: Side, steps: number): [number, number] {
    return side === 0 ? [at[0] + steps, at[1]] : [at[0], at[1] + steps];
  }

  /** The token at `side` takes one of the other's, and then as many as it likes. */
  #plus(side: Side, at: readonly [number, number]): boolean {
    const rest: Side = side === 0 ? 1 : 0;
    const own = this.#patterns[side][at[side]];
    const other = this.#patterns[rest][at[rest]];
    if (own === undefined || other === undefined || !meet(own, other)) {
      return false;
    }
    if (this.star(side, this.#moved(at, rest, 1))) {
      return true;
    }
    return other.repeat !== "" && this.plain(...this.#moved(at, side, 1));
  }

  /** The token at `side` takes as many of the other's as it likes. */
  star(side: Side, at: readonly [number, number]): boolean {
    const rest: Side = side === 0 ? 1 : 0;
    const keys: number[] = [];
    for (let steps = 0; ; steps += 1) {
      const now = this.#moved(at, rest, steps);
      const key = this.#key(1 + side, ...now);
      const known = this.#answers.get(key) ?? this.#starred(side, now);
      keys.push(key);
      if (known !== undefined) {
        return this.#answer(keys, known);
      }
    }
  }

  /** Undefined when the starred token takes the other's, and the question moves on to the one behind it. */
  #starred(side: Side, at: readonly [number, number]): boolean | undefined {
    const rest: Side = side === 0 ? 1 : 0;
    const own = this.#patterns[side][at[side]];
    const next = this.#patterns[side][at[side] + 1];
    const other = this.#patterns[rest][at[rest]];
    if (other === undefined || own === undefined) {
      return next === undefined;
    }
    this.#spend(1);
    if (next !== undefined && meet(other, next) && this.plain(...this.#moved(at, side, 1))) {
      return true;
    }
    return meet(other, own) ? undefined : false;
  }
}

/** @throws BuiltinError when a pattern is malformed. */
export function globsIntersect(left: string, right: string, context: BuiltinContext): boolean {
  refuseLongPattern(left);
  refuseLongPattern(right);
  const tokens = [left, right].map((pattern) => new Tokenizer(pattern).tokens());
  const [first = [], second = []] = tokens;
  if (first.length + second.length > maxTokens) {
    throw new LimitError(`the two patterns have more than ${maxTokens} tokens`);
  }
  return new Intersection([first, second], context.spend).plain(0, 0);
}

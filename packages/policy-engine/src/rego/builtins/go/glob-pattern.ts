/**
 * gobwas/glob v1 patterns: `*` and `?` stop at separators, `**` does not; `[abc]`, `[!a-z]`, `{a,b*}` nest
 * freely, a backslash makes any character literal. Outside braces `,` and `}` are literals.
 */
import { LimitError } from "../contract.ts";

/** @see syntax error texts of gobwas/glob; the offset counts UTF-16 units, not bytes. */
export class GlobSyntaxError extends Error {
  constructor(offset: number, reason: string) {
    super(`glob: syntax error at ${offset}: ${reason}`);
    this.name = "GlobSyntaxError";
  }
}

export interface Glob {
  /** @param spend told about work as it is done; may throw. */
  readonly matches: (text: string, spend: (units: number) => void) => boolean;
}

/** Takes one rune. */
type RuneTest = (rune: string) => boolean;

/** One state of the automaton: a test to pass to `next`, or free moves. */
type State =
  | { readonly kind: "rune"; readonly test: RuneTest; next: number }
  | { readonly kind: "split"; readonly targets: number[] }
  | { readonly kind: "end" };

/** Braces within braces; the parser recurses. */
const maxBraces = 200;

class Parser {
  readonly #runes: readonly string[];
  readonly #separators: ReadonlySet<string>;
  readonly states: State[] = [];
  #at = 0;

  constructor(pattern: string, separators: readonly string[]) {
    this.#runes = Array.from(pattern);
    this.#separators = new Set(separators);
  }

  #fail(reason: string): GlobSyntaxError {
    return new GlobSyntaxError(this.#at, reason);
  }

  #add(state: State): number {
    this.states.push(state);
    return this.states.length - 1;
  }

  /** Every state points at the one made after it, unless told otherwise: states are made in pattern order. */
  #rune(test: RuneTest): void {
    const index = this.#add({ kind: "rune", test, next: 0 });
    const state = this.states[index];
    if (state?.kind === "rune") {
      state.next = index + 1;
    }
  }

  /** A loop over runes that pass. */
  #loop(test: RuneTest): void {
    const split = this.#add({ kind: "split", targets: [] });
    const body = this.#add({ kind: "rune", test, next: split });
    const state = this.states[split];
    if (state?.kind === "split") {
      state.targets.push(body, body + 1);
    }
  }

  parse(): readonly State[] {
    this.#sequence(0);
    this.#add({ kind: "end" });
    return this.states;
  }

  /** Up to the end, or within braces up to `,` or `}`, which are left unread. */
  #sequence(level: number): void {
    while (this.#at < this.#runes.length) {
      const rune = this.#runes[this.#at] ?? "";
      if (level > 0 && (rune === "," || rune === "}")) {
        return;
      }
      this.#at += 1;
      this.#term(rune, level);
    }
    if (level > 0) {
      throw this.#fail("unclosed `{`");
    }
  }

  #term(rune: string, level: number): void {
    const crosses = (other: string) => !this.#separators.has(other);
    switch (rune) {
      case "?":
        this.#rune(crosses);
        return;
      case "*":
        if (this.#runes[this.#at] === "*") {
          this.#at += 1;
          this.#loop(() => true);
        } else {
          this.#loop(crosses);
        }
        return;
      case "[":
        this.#rune(this.#class());
        return;
      case "{":
        this.#braces(level + 1);
        return;
      case "\\":
        this.#literal(this.#escaped());
        return;
      default:
        this.#literal(rune);
    }
  }

  #literal(rune: string): void {
    this.#rune((other) => other === rune);
  }

  #escaped(): string {
    const rune = this.#runes[this.#at];
    if (rune === undefined) {
      throw this.#fail("trailing backslash");
    }
    this.#at += 1;
    return rune;
  }

  #braces(level: number): void {
    if (level > maxBraces) {
      throw new LimitError(`braces nested more than ${maxBraces} levels deep`);
    }
    const targets: number[] = [];
    this.#add({ kind: "split", targets });
    const ends: number[][] = [];
    for (;;) {
      targets.push(this.states.length);
      this.#sequence(level);
      const exit: number[] = [];
      this.#add({ kind: "split", targets: exit });
      ends.push(exit);
      const closing = this.#runes[this.#at];
      this.#at += 1;
      if (closing !== ",") {
        break;
      }
    }
    for (const exit of ends) {
      exit.push(this.states.length);
    }
  }

  #class(): RuneTest {
    const negated = this.#runes[this.#at] === "!";
    if (negated) {
      this.#at += 1;
    }
    const first = this.#runes[this.#at];
    if (first === undefined) {
      throw this.#fail("unexpected end of input");
    }
    const test = this.#runes[this.#at + 1] === "-" ? this.#range(first) : this.#listed();
    return negated ? (rune) => !test(rune) : test;
  }

  #range(first: string): RuneTest {
    const last = this.#runes[this.#at + 2];
    this.#at += 3;
    if (last === undefined) {
      throw this.#fail("unexpected end of input");
    }
    const close = this.#runes[this.#at];
    if (close !== "]") {
      throw this.#fail(close === undefined ? "unexpected end of input" : "expected close range character");
    }
    this.#at += 1;
    const low = first.codePointAt(0) ?? 0;
    const high = last.codePointAt(0) ?? 0;
    if (high < low) {
      throw this.#fail("range hi character is less than lo");
    }
    return (rune) => {
      const code = rune.codePointAt(0) ?? 0;
      return code >= low && code <= high;
    };
  }

  #listed(): RuneTest {
    const members = new Set<string>();
    for (;;) {
      const rune = this.#runes[this.#at];
      if (rune === undefined) {
        throw this.#fail("unexpected end of input");
      }
      this.#at += 1;
      if (rune === "]") {
        break;
      }
      members.add(rune === "\\" ? this.#escaped() : rune);
    }
    if (members.size === 0) {
      throw this.#fail("could not parse range");
    }
    return (rune) => members.has(rune);
  }
}

/** The states a text may be in, each once. */
class Front {
  readonly #states: readonly State[];
  readonly #mark: Uint32Array;
  #generation = 0;
  list: number[] = [];

  constructor(states: readonly State[]) {
    this.#states = states;
    this.#mark = new Uint32Array(states.length);
  }

  /** Follows free moves from some states; iterative, as chains are as long as patterns. */
  advance(starts: readonly number[]): void {
    this.#generation += 1;
    this.list = [];
    const pending = [...starts];
    for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
      if (this.#mark[index] === this.#generation) {
        continue;
      }
      this.#mark[index] = this.#generation;
      const state = this.#states[index];
      if (state?.kind === "split") {
        pending.push(...state.targets);
      } else {
        this.list.push(index);
      }
    }
  }
}

function run(states: readonly State[], text: string, spend: (units: number) => void): boolean {
  const front = new Front(states);
  front.advance([0]);
  for (const rune of text) {
    spend(1 + Math.floor(front.list.length / 4));
    const next: number[] = [];
    for (const index of front.list) {
      const state = states[index];
      if (state?.kind === "rune" && state.test(rune)) {
        next.push(state.next);
      }
    }
    if (next.length === 0) {
      return false;
    }
    front.advance(next);
  }
  return front.list.includes(states.length - 1);
}

/** @throws GlobSyntaxError */
export function compileGlob(pattern: string, separators: readonly string[]): Glob {
  const states = new Parser(pattern, separators).parse();
  return { matches: (text, spend) => run(states, text, spend) };
}

import { type GeneratedText, numberOfHelper } from "./shapes.ts";

/** Longer texts stay closures: compiling them would hold up a request, and they are not what time goes to. */
export const maxSource = 32_000;

/** Thrown when the text becomes too long. */
export class LongSourceError extends RangeError {
  override readonly name = "LongSourceError";
}

/** Names that a read of a plain object could find on its prototype: only the closures read those. */
export const isInheritable = (name: string): boolean => name in Object.prototype;

const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Writes the text of a JavaScript function, statement by statement. What a policy says never becomes part of it but for
 * names of fields that are plain identifiers: everything else is bound, and named `k0`, `k1`... So programs that differ in
 * constants only have one text, and are one function to V8 (shapes.ts).
 */
export class CodeWriter {
  protected readonly lines: string[] = [];
  readonly #bound: unknown[] = [];
  readonly #names = new Map<unknown, string>();
  readonly #keys: string[] = [];
  readonly #variables = new Set<string>();
  readonly #helpers = new Set<string>();
  readonly #limit: number;
  #labels = 0;
  #length = 0;

  constructor(limit = maxSource) {
    this.#limit = limit;
  }

  /** Characters written so far. */
  get length(): number {
    return this.#length;
  }

  line(text: string): void {
    this.#length += text.length;
    if (this.#length > this.#limit) throw new LongSourceError("the program is too long to be generated");
    this.lines.push(text);
  }

  /** A name for a value from outside the text: a closure, a class, a field. */
  bind(value: unknown): string {
    const known = this.#names.get(value);
    if (known !== undefined) return known;
    const name = this.parameter(value);
    this.#names.set(value, name);
    return name;
  }

  /**
   * A name for a function or class of ours: the same in every text, so that what texts have in common is at hand for all
   * of them and is not each program's.
   */
  helper(value: object): string {
    const name = `h${numberOfHelper(value)}`;
    this.#helpers.add(name);
    return name;
  }

  /** A name of its own for a constant: whether two are equal does not show in the text. */
  parameter(value: unknown): string {
    this.#bound.push(value);
    return `k${this.#bound.length - 1}`;
  }

  label(): string {
    return `b${this.#labels++}`;
  }

  /** Declares a variable of the function. */
  variable(name: string): string {
    this.#variables.add(name);
    return name;
  }

  /** Reads a field of an expression that is an object with no field of this name on its prototype. */
  field(of: string, name: string): string {
    if (identifier.test(name)) return `${of}.${name}`;
    this.#keys.push(name);
    return `${of}[${this.bind(name)}]`;
  }

  /** The text of a function that, given the helpers, gives one that, given what is bound, gives that of these parameters. */
  text(parameters: readonly string[], end: string): GeneratedText {
    const bindings = this.#bound.map((_, at) => `k${at}=k[${at}]`);
    const variables = [...this.#variables];
    const helpers = [...this.#helpers].map((name) => `${name}=h[${name.slice(1)}]`);
    const source = [
      helpers.length === 0 ? "" : `const ${helpers.join(",")};`,
      "return function(k){",
      bindings.length === 0 ? "" : `const ${bindings.join(",")};`,
      `return function(${parameters.join(",")}){`,
      variables.length === 0 ? "" : `let ${variables.join(",")};`,
      ...this.lines,
      `${end}};};`,
    ].join("\n");
    return { source, bound: this.#bound, keys: this.#keys };
  }
}

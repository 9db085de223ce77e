import type { Frame, Node } from "../frame.ts";
import type { CelValue } from "../values.ts";

/** Longer programs stay closures: compiling them would hold up a request, and they are not what time goes to. */
const MAX_SOURCE = 32_000;

/** Thrown when the text becomes too long. */
export class LongSourceError extends RangeError {
  override readonly name = "LongSourceError";
}

/** Names that a read of a plain object could find on its prototype: only the closures read those. */
export const isInheritable = (name: string): boolean => name in Object.prototype;

const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Writes JavaScript for a program, statement by statement, as nodes ask for it. What a policy says never becomes part
 * of the text but for names of fields that are plain identifiers: everything else is bound, and named `k0`, `k1`...
 * So programs that differ in constants only have one text, and are one function to V8 (shape.ts).
 */
export class SourceWriter {
  readonly #lines: string[] = [];
  readonly #bound: unknown[] = [];
  readonly #names = new Map<unknown, string>();
  readonly #keys: string[] = [];
  readonly #variables = new Set<string>();
  /** By root, then by what is kept: the variables for it. */
  readonly #kept = new Map<string, Map<string, string>>();
  #temporaries = 0;
  #labels = 0;
  #length = 0;

  line(text: string): void {
    this.#length += text.length;
    if (this.#length > MAX_SOURCE) throw new LongSourceError("the program is too long to be generated");
    this.#lines.push(text);
  }

  /** A name for a value from outside the text: a closure, a constant, a class. */
  bind(value: unknown): string {
    const known = this.#names.get(value);
    if (known !== undefined) return known;
    const name = `k${this.#bound.length}`;
    this.#bound.push(value);
    this.#names.set(value, name);
    return name;
  }

  /** A name of its own for a constant: whether two are equal does not show in the text. */
  parameter(value: CelValue): string {
    this.#bound.push(value);
    return `k${this.#bound.length - 1}`;
  }

  /** A variable of its own for the value of one node. */
  temporary(): string {
    return this.#variable(`t${this.#temporaries++}`);
  }

  label(): string {
    return `b${this.#labels++}`;
  }

  /** The variable of a loop, which the frame holds as well, for the closures. */
  slot(index: number): string {
    return this.#variable(`s${index}`);
  }

  /** A variable of the activation; `read` finds it without counting a cost, which the caller does afterwards. */
  global(index: number, read: (frame: Frame) => CelValue, cost: number): string {
    const name = this.#variable(`g${index}`);
    // What reading it costs is spent even if there is none; the caller counts it otherwise.
    this.line(`if(${name}===undefined){f.cost+=${cost};${name}=${this.bind(read)}(f);f.cost-=${cost};}`);
    return name;
  }

  /**
   * A variable for what was found out about a root, once: a value that it leads to, or that the value is a plain object.
   * It is undefined until then, and again whenever the root changes (`forgetting`).
   */
  kept(root: string, what: string): string {
    const ofRoot = this.#kept.get(root) ?? new Map<string, string>();
    this.#kept.set(root, ofRoot);
    const known = ofRoot.get(what);
    if (known !== undefined) return known;
    const name = this.#variable(`m${this.#temporaries++}`);
    ofRoot.set(what, name);
    return name;
  }

  /** Writes statements for a value of `root` that begin by forgetting what was kept of the one before. */
  forgetting<T>(root: string, write: () => T): T {
    const at = this.#lines.length;
    this.#lines.push("");
    const written = write();
    const names = [...(this.#kept.get(root)?.values() ?? [])];
    if (names.length > 0) this.#lines[at] = `${names.join("=")}=undefined;`;
    return written;
  }

  /** Reads a field of an expression that is an object with no field of this name on its prototype. */
  field(of: string, name: string): string {
    if (identifier.test(name)) return `${of}.${name}`;
    this.#keys.push(name);
    return `${of}[${this.bind(name)}]`;
  }

  /** Writes what gives the value of a node, and returns what it is called from there on. */
  value(node: Node): string {
    if (node.constant !== undefined) return this.constant(node.constant);
    if (node.write !== undefined) return node.write(this);
    const value = this.temporary();
    this.line(`${value}=${this.bind(node.run)}(f);`);
    return value;
  }

  constant(value: CelValue): string {
    return typeof value === "boolean" || value === null ? String(value) : this.parameter(value);
  }

  /** As `value`, with statements for an error that it may end in; the error is `x` there. */
  valueOrElse(node: Node, otherwise: () => void): string {
    if (node.constant !== undefined) return this.constant(node.constant);
    const value = this.temporary();
    this.line("try{");
    this.line(`${value}=${this.value(node)};`);
    this.line("}catch(x){");
    otherwise();
    this.line("}");
    return value;
  }

  /**
   * The text of a function that, given what is bound, gives the function of a frame. `keys` are names of fields that are
   * no part of the text: reads of the same one belong together.
   */
  finish(result: string): {
    readonly source: string;
    readonly bound: readonly unknown[];
    readonly keys: readonly string[];
  } {
    const bindings = this.#bound.map((_, at) => `k${at}=k[${at}]`);
    const variables = [...this.#variables];
    const source = [
      bindings.length === 0 ? "" : `const ${bindings.join(",")};`,
      "return function(f){",
      variables.length === 0 ? "" : `let ${variables.join(",")};`,
      ...this.#lines,
      `return ${result};};`,
    ].join("\n");
    return { source, bound: this.#bound, keys: this.#keys };
  }

  #variable(name: string): string {
    this.#variables.add(name);
    return name;
  }
}

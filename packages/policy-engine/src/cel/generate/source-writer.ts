import { CodeWriter } from "../../generate/code-writer.ts";
import type { GeneratedText } from "../../generate/shapes.ts";
import type { Frame, Node } from "../frame.ts";
import type { CelValue } from "../values.ts";

/** Writes JavaScript for a program, statement by statement, as nodes ask for it. */
export class SourceWriter extends CodeWriter {
  /** By root, then by what is kept: the variables for it. */
  readonly #kept = new Map<string, Map<string, string>>();
  #temporaries = 0;

  /** A variable of its own for the value of one node. */
  temporary(): string {
    return this.variable(`t${this.#temporaries++}`);
  }

  /** The variable of a loop, which the frame holds as well, for the closures. */
  slot(index: number): string {
    return this.variable(`s${index}`);
  }

  /** A variable of the activation; `read` finds it without counting a cost, which the caller does afterwards. */
  global(index: number, read: (frame: Frame) => CelValue, cost: number): string {
    const name = this.variable(`g${index}`);
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
    const name = this.variable(`m${this.#temporaries++}`);
    ofRoot.set(what, name);
    return name;
  }

  /** Writes statements for a value of `root` that begin by forgetting what was kept of the one before. */
  forgetting<T>(root: string, write: () => T): T {
    const at = this.lines.length;
    this.lines.push("");
    const written = write();
    const names = [...(this.#kept.get(root)?.values() ?? [])];
    if (names.length > 0) this.lines[at] = `${names.join("=")}=undefined;`;
    return written;
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

  /** The text of a function that, given what is bound, gives the function of a frame. */
  finish(result: string): GeneratedText {
    return this.text(["f"], `return ${result};`);
  }
}

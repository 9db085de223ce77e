/** Runs a parsed text/template over a Rego value (Go's text/template/exec.go). */

import { getKey, isArray, isNumber, isSet, type RegoValue, sortedKeysOf } from "../../values.ts";
import { LimitError } from "../contract.ts";
import { field, goText, isTrue, templateFunctions, type Value } from "./template-functions.ts";
import type { Command, Node, Operand, Pipeline, Template, Term } from "./template-parse.ts";
import { TemplateError } from "./template-tokens.ts";

/** Templates within templates, and blocks. */
const maxDepth = 200;

class Stop {
  readonly kind: "break" | "continue";
  constructor(kind: "break" | "continue") {
    this.kind = kind;
  }
}

interface Variable {
  readonly name: string;
  value: Value;
}

class Runner {
  readonly #template: Template;
  readonly #emit: (text: string) => void;
  #variables: Variable[];

  constructor(template: Template, data: RegoValue, emit: (text: string) => void) {
    this.#template = template;
    this.#emit = emit;
    this.#variables = [{ name: "$", value: data }];
  }

  list(nodes: readonly Node[], dot: Value, depth: number): Stop | undefined {
    if (depth > maxDepth) {
      throw new LimitError(`templates nested more than ${maxDepth} deep`);
    }
    const known = this.#variables.length;
    for (const node of nodes) {
      const stop = this.#node(node, dot, depth);
      if (stop !== undefined) {
        this.#variables.length = known;
        return stop;
      }
    }
    this.#variables.length = known;
    return undefined;
  }

  #node(node: Node, dot: Value, depth: number): Stop | undefined {
    switch (node.kind) {
      case "text":
        this.#emit(node.text);
        return undefined;
      case "action": {
        const value = this.#pipeline(node.pipeline, dot);
        if (node.pipeline.variables.length === 0) {
          this.#emit(goText(value));
        }
        return undefined;
      }
      case "break":
      case "continue":
        return new Stop(node.kind);
      case "template":
        this.#invoke(node.name, node.pipeline, dot, depth);
        return undefined;
      default:
        return this.#branch(node, dot, depth);
    }
  }

  #branch(
    node: Node & { readonly kind: "if" | "with" | "range" },
    dot: Value,
    depth: number,
  ): Stop | undefined {
    const known = this.#variables.length;
    let stop: Stop | undefined;
    if (node.kind === "range") {
      stop = this.#range(node, dot, depth);
    } else {
      const value = this.#pipeline(node.pipeline, dot);
      const chosen = isTrue(value) ? node.body : node.otherwise;
      const inner = node.kind === "with" && isTrue(value) ? value : dot;
      stop = this.list(chosen, inner, depth + 1);
    }
    this.#variables.length = known;
    return stop;
  }

  #range(
    node: Node & { readonly kind: "if" | "with" | "range" },
    dot: Value,
    depth: number,
  ): Stop | undefined {
    const { variables, declares } = node.pipeline;
    const value = this.#pipeline({ ...node.pipeline, variables: [] }, dot);
    const known = this.#variables.length;
    let isEmpty = true;
    for (const [key, item] of rangeOf(value)) {
      isEmpty = false;
      // An empty text shows the caller each round, so that it can stop an endless one.
      this.#emit("");
      const bound = variables.length === 1 ? [item] : [key, item];
      for (const [index, name] of variables.entries()) {
        this.#bind(name, bound[index], declares);
      }
      const stop = this.list(node.body, item, depth + 1);
      this.#variables.length = known;
      if (stop?.kind === "break") {
        break;
      }
    }
    return isEmpty ? this.list(node.otherwise, dot, depth + 1) : undefined;
  }

  #invoke(name: string, pipeline: Pipeline | undefined, dot: Value, depth: number): void {
    const nodes = this.#template.named.get(name);
    if (nodes === undefined) {
      throw new TemplateError(`template ${JSON.stringify(name)} not defined`);
    }
    const value = pipeline === undefined ? undefined : this.#pipeline(pipeline, dot);
    const outer = this.#variables;
    this.#variables = [{ name: "$", value }];
    this.list(nodes, value, depth + 1);
    this.#variables = outer;
  }

  #bind(name: string, value: Value, declares: boolean): void {
    if (declares) {
      this.#variables.push({ name, value });
      return;
    }
    this.#variable(name).value = value;
  }

  #variable(name: string): Variable {
    const found = this.#variables.findLast((variable) => variable.name === name);
    if (found === undefined) {
      throw new TemplateError(`undefined variable ${JSON.stringify(name)}`);
    }
    return found;
  }

  #pipeline(pipeline: Pipeline, dot: Value): Value {
    let value: Value;
    for (const [index, command] of pipeline.commands.entries()) {
      value = this.#command(command, dot, index > 0 ? [value] : []);
    }
    for (const name of pipeline.variables) {
      this.#bind(name, value, pipeline.declares);
    }
    return value;
  }

  #command(command: Command, dot: Value, final: readonly Value[]): Value {
    const [first, ...rest] = command;
    if (first?.operand.kind === "function") {
      return this.#call(first.operand.name, rest, dot, final);
    }
    if (first === undefined || rest.length > 0 || final.length > 0) {
      throw new TemplateError("can't give argument to non-function");
    }
    return this.#term(first, dot);
  }

  /** `and` and `or` stop at the first argument that decides. */
  #call(name: string, terms: readonly Term[], dot: Value, final: readonly Value[]): Value {
    if (name === "and" || name === "or") {
      let value: Value;
      for (const term of terms) {
        value = this.#term(term, dot);
        if (isTrue(value) === (name === "or")) {
          return value;
        }
      }
      return final.length > 0 ? final[0] : value;
    }
    const called = templateFunctions.get(name);
    if (called === undefined) {
      throw new TemplateError(`function ${JSON.stringify(name)} not defined`);
    }
    return called([...terms.map((term) => this.#term(term, dot)), ...final]);
  }

  #term(term: Term, dot: Value): Value {
    return term.fields.reduce(field, this.#operand(term.operand, dot));
  }

  #operand(operand: Operand, dot: Value): Value {
    switch (operand.kind) {
      case "literal":
        return operand.value;
      case "dot":
        return dot;
      case "variable":
        return this.#variable(operand.name).value;
      case "pipeline":
        return this.#pipeline(operand.pipeline, dot);
      case "function":
        return this.#call(operand.name, [], dot, []);
    }
  }
}

function* rangeOf(value: Value): Generator<readonly [Value, Value]> {
  if (value === undefined || value === null) {
    return;
  }
  if (isArray(value)) {
    yield* value.entries();
  } else if (isNumber(value)) {
    for (let index = 0; index < Number(value); index += 1) {
      yield [index, index];
    }
  } else if (typeof value === "object" && !isSet(value)) {
    for (const key of sortedKeysOf(value)) {
      yield [key, getKey(value, key)];
    }
  } else {
    throw new TemplateError("range can't iterate over the value");
  }
}

/** @param emit gets the output piece by piece, an empty one at least per round of a loop; may throw to end it. */
export function runTemplate(template: Template, data: RegoValue, emit: (text: string) => void): void {
  new Runner(template, data, emit).list(template.nodes, data, 0);
}

import type { RegoValue } from "../values.ts";
import type { CompiledFunction } from "./function.ts";

interface Node {
  readonly children: Map<string, Node>;
  found?: CompiledFunction;
}

/** Functions by their path in the data tree. */
export class PathTree {
  readonly #root: Node = { children: new Map() };

  set(path: readonly string[], found: CompiledFunction): void {
    let node = this.#root;
    for (const key of path) {
      const next = node.children.get(key) ?? { children: new Map() };
      node.children.set(key, next);
      node = next;
    }
    node.found = found;
  }

  get(path: readonly RegoValue[]): CompiledFunction | undefined {
    let node: Node | undefined = this.#root;
    for (const key of path) {
      node = typeof key === "string" ? node.children.get(key) : undefined;
      if (!node) return undefined;
    }
    return node.found;
  }
}

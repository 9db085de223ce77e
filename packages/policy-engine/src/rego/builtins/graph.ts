/** `graph.*` and `walk` (OPA's v1/topdown/reachable.go, walk.go). */
import {
  type AnyObject,
  canonicalKey,
  getKey,
  isArray,
  isObject,
  isSet,
  maxValueDepth,
  RegoSet,
  type RegoValue,
  sortedKeysOf,
  ValueDepthError,
} from "../values.ts";
import { type Builtin, type BuiltinContext, LimitError } from "./contract.ts";
import { maxElements, refuseManyElements } from "./limits.ts";
import { builtin, listOf, objectOperand, operand, wrongType } from "./operands.ts";

/** Vertices of one path; the search recurses. */
const maxGraphPath = 1_000;

function startVertices(args: readonly RegoValue[]): readonly RegoValue[] {
  const value = operand(args, 2);
  const list = listOf(value);
  if (list === undefined) {
    throw wrongType(2, value, "{array, set}");
  }
  return list;
}

/** A vertex' neighbours; undefined when it is not in the graph, none when its edges are no collection. */
function neighbours(graph: AnyObject, vertex: RegoValue): readonly RegoValue[] | undefined {
  const edges = getKey(graph, vertex);
  return edges === undefined ? undefined : (listOf(edges) ?? []);
}

function reachable(args: readonly RegoValue[], context: BuiltinContext): RegoSet {
  const graph = objectOperand(args, 1);
  const queue = [...startVertices(args)];
  const seen = new RegoSet(queue);
  const reached = new RegoSet();
  for (let vertex = queue.pop(); vertex !== undefined; vertex = queue.pop()) {
    const next = neighbours(graph, vertex);
    if (next === undefined) {
      continue;
    }
    reached.add(vertex);
    context.spend(next.length + 1);
    for (const neighbour of next) {
      if (!seen.has(neighbour)) {
        seen.add(neighbour);
        queue.push(neighbour);
      }
    }
  }
  return reached;
}

/** All paths from some vertices that end at a leaf, at a vertex outside the graph, or before a cycle closes. */
class PathSearch {
  readonly paths = new RegoSet();
  readonly #graph: AnyObject;
  readonly #context: BuiltinContext;
  readonly #path: RegoValue[] = [];
  readonly #onPath = new Set<string>();

  constructor(graph: AnyObject, context: BuiltinContext) {
    this.#graph = graph;
    this.#context = context;
  }

  #found(): void {
    this.#context.spend(this.#path.length + 1);
    this.paths.add([...this.#path]);
    refuseManyElements(this.paths.size * this.#path.length);
  }

  /** A first vertex is not looked for among its own neighbours: one that is its own gives `[x, x]`, as in OPA. */
  start(vertex: RegoValue): void {
    const next = neighbours(this.#graph, vertex);
    if (next === undefined) {
      return;
    }
    this.#path.push(vertex);
    if (next.length === 0) {
      this.#found();
    }
    for (const neighbour of next) {
      this.#onPath.add(canonicalKey(vertex));
      this.visit(neighbour);
    }
    this.#path.pop();
    this.#onPath.clear();
  }

  visit(vertex: RegoValue): void {
    const next = neighbours(this.#graph, vertex);
    if (next === undefined) {
      this.#found();
      return;
    }
    if (this.#path.length >= maxGraphPath) {
      throw new LimitError(`a path has more than ${maxGraphPath} vertices`);
    }
    const key = canonicalKey(vertex);
    this.#path.push(vertex);
    this.#onPath.add(key);
    if (next.length === 0) {
      this.#found();
    }
    for (const neighbour of next) {
      if (this.#onPath.has(canonicalKey(neighbour))) {
        this.#found();
      } else {
        this.visit(neighbour);
      }
    }
    this.#path.pop();
    this.#onPath.delete(key);
  }
}

function reachablePaths(args: readonly RegoValue[], context: BuiltinContext): RegoSet {
  const graph = objectOperand(args, 1);
  const search = new PathSearch(graph, context);
  for (const vertex of startVertices(args)) {
    search.start(vertex);
  }
  return search.paths;
}

/**
 * `walk` as a list of `[path, value]`: the evaluator of a plan iterates over it. Paths share nothing, so their
 * total length is bounded, not the number of values alone.
 */
class Walk {
  readonly pairs: RegoValue[] = [];
  readonly #context: BuiltinContext;
  #pathElements = 0;

  constructor(context: BuiltinContext) {
    this.#context = context;
  }

  visit(path: readonly RegoValue[], value: RegoValue): void {
    if (path.length >= maxValueDepth) {
      throw new ValueDepthError();
    }
    this.#context.spend(path.length + 1);
    this.#pathElements += path.length + 1;
    if (this.#pathElements > 8 * maxElements) {
      throw new LimitError(`the paths have more than ${8 * maxElements} elements in total`);
    }
    this.pairs.push([path, value]);
    if (isArray(value)) {
      for (const [index, item] of value.entries()) {
        this.visit([...path, index], item);
      }
    } else if (isSet(value)) {
      for (const item of value.sorted()) {
        this.visit([...path, item], item);
      }
    } else if (isObject(value)) {
      for (const key of sortedKeysOf(value)) {
        this.visit([...path, key], getKey(value, key) ?? null);
      }
    }
  }
}

export const graphBuiltins: readonly Builtin[] = [
  builtin("graph.reachable", 2, reachable),
  builtin("graph.reachable_paths", 2, reachablePaths),
  builtin("walk", 1, (args, context) => {
    const walk = new Walk(context);
    walk.visit([], operand(args, 1));
    return walk.pairs;
  }),
];

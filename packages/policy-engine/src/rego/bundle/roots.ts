/** The parts of `data` that are a bundle's own (`roots` of its manifest), as a tree of their segments. */
import { getKey, isArray, isObject, type PlainObject, type RegoValue } from "../values.ts";
import { BundleError } from "./errors.ts";

interface Node {
  /** Whose root ends here. */
  owner: string | undefined;
  readonly children: Map<string, Node>;
}

const emptyNode = (): Node => ({ owner: undefined, children: new Map() });

/** `a/b` as its segments; the root of everything has none. */
function segmentsOf(root: string): readonly string[] {
  return root === "" ? [] : root.split("/");
}

/** An owner whose root contains the new one or lies within it. */
function insert(tree: Node, root: string, owner: string): string | undefined {
  let node = tree;
  for (const segment of segmentsOf(root)) {
    if (node.owner !== undefined) return node.owner;
    let child = node.children.get(segment);
    if (child === undefined) {
      child = emptyNode();
      node.children.set(segment, child);
    }
    node = child;
  }
  if (node.owner !== undefined) return node.owner;
  const within = anyOwner(node);
  if (within === undefined) node.owner = owner;
  return within;
}

function anyOwner(node: Node): string | undefined {
  for (let at: Node | undefined = node; at; at = at.children.values().next().value)
    if (at.owner !== undefined) return at.owner;
  return undefined;
}

export class Roots {
  /** Without slashes at their ends; `""` is all of `data`. */
  readonly paths: readonly string[];
  readonly #tree = emptyNode();

  /** @throws BundleError where two overlap. */
  constructor(paths: readonly string[]) {
    this.paths = paths;
    for (const path of paths) {
      const other = insert(this.#tree, path, path);
      if (other !== undefined)
        throw new BundleError("INVALID_MANIFEST", `roots ${quote(other)} and ${quote(path)} overlap`, {
          file: ".manifest",
        });
    }
  }

  equals(other: Roots): boolean {
    const mine = new Set(this.paths);
    return mine.size === other.paths.length && other.paths.every((path) => mine.has(path));
  }

  /** Whether a path is one of the roots or below one. */
  contain(path: readonly string[]): boolean {
    let node = this.#tree;
    for (const segment of path) {
      if (node.owner !== undefined) return true;
      const child = node.children.get(segment);
      if (child === undefined) return false;
      node = child;
    }
    return node.owner !== undefined;
  }

  /** A path in the data that is outside of all roots. */
  firstOutside(data: PlainObject): readonly string[] | undefined {
    return outside(this.#tree, data, []);
  }

  toString(): string {
    return this.paths.map(quote).join(", ");
  }
}

/** As deep as a root has segments. */
function outside(node: Node, value: RegoValue, path: readonly string[]): readonly string[] | undefined {
  if (node.owner !== undefined) return undefined;
  if (!isObject(value) || isArray(value)) return path;
  for (const key of Object.keys(value)) {
    const child = node.children.get(key);
    if (child === undefined) return [...path, key];
    const found = outside(child, getKey(value, key) ?? null, [...path, key]);
    if (found !== undefined) return found;
  }
  return undefined;
}

const quote = (text: string): string => JSON.stringify(text);

/**
 * Bundles that are loaded together may not own the same part of `data`: which of them counts would depend on which
 * came first. @throws BundleError
 */
export function checkOverlaps(bundles: ReadonlyMap<string, Roots>): void {
  const tree = emptyNode();
  for (const [name, roots] of bundles)
    for (const path of roots.paths) {
      const other = insert(tree, path, name);
      if (other !== undefined && other !== name)
        throw new BundleError(
          "OUTSIDE_ROOTS",
          `bundles ${quote(other)} and ${quote(name)} both own ${quote(path)}: name separate "roots" in their manifests`,
        );
    }
}

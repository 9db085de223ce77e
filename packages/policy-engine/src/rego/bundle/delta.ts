/** Delta bundles: `patch.json` changes the data of a snapshot (OPA's documentation, "Delta Bundle File Format"). */
import { getKey, isArray, type PlainObject, type RegoValue } from "../values.ts";
import type { DeltaBundle, PatchOperation, SnapshotBundle } from "./bundle.ts";
import { countValues } from "./data-files.ts";
import { BundleError } from "./errors.ts";
import { Fields, isPlain, readJson } from "./json-file.ts";
import { type BundleLimits, defaultBundleLimits } from "./limits.ts";
import { trimSlashes } from "./manifest.ts";
import type { Roots } from "./roots.ts";

export const patchFile = "patch.json";

const maxSegments = 100;
/** Entries copied or moved while one delta is applied. */
const maxWork = 100_000_000;

/** @throws BundleError */
export function readPatch(
  bytes: Uint8Array,
  roots: Roots,
  limits: BundleLimits,
): Pick<DeltaBundle, "patch" | "values"> {
  const values = countValues(bytes, false);
  const fields = new Fields(readJson(bytes, patchFile, "INVALID_PATCH"), patchFile, "INVALID_PATCH");
  fields.refuseOtherCase(["data"]);
  const operations = fields.list("data", limits.patchOperations) ?? [];
  // OPA takes it for a bundle without data and removes everything.
  if (operations.length === 0)
    fields.fail("data", "names no operation; a server that has nothing to change answers 304 Not Modified");
  return { patch: operations.map((operation, at) => readOperation(operation, at, roots)), values };
}

function readOperation(value: RegoValue, at: number, roots: Roots): PatchOperation {
  const fields = new Fields(value, patchFile, "INVALID_PATCH", `data[${at}].`);
  fields.refuseOtherCase(["op", "path", "value"]);
  const path = segmentsOf(fields.text("path") ?? "", fields);
  if (!roots.contain(path))
    throw new BundleError("OUTSIDE_ROOTS", `data[${at}].path is outside of the bundle's roots ${roots}`, {
      file: patchFile,
    });
  const op = fields.text("op");
  if (op === "remove") return { op, path };
  if (op !== "upsert" && op !== "replace") return fields.fail("op", "must be upsert, replace or remove");
  // null is a value like any other.
  const given = fields.get("value");
  return {
    op,
    path,
    value: given === undefined ? fields.fail("value", `is missing; ${op} needs one`) : given,
  };
}

/** A JSON pointer whose segments are escaped as in URLs as well, as OPA reads it (RFC 6901 section 4, RFC 3986). */
function segmentsOf(path: string, fields: Fields): readonly string[] {
  const trimmed = trimSlashes(path);
  if (trimmed === "")
    return fields.fail("path", "names no place below data; to replace all of it serve a whole bundle");
  const parts = trimmed.split("/");
  if (parts.length > maxSegments) fields.fail("path", `has more than ${maxSegments} parts`);
  try {
    return parts.map((part) => decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~"));
  } catch (error) {
    if (error instanceof URIError) return fields.fail("path", "has a % that begins no escape");
    throw error;
  }
}

/**
 * The snapshot with the delta's changes and manifest; the one given stays as it is, so a delta that fails changes
 * nothing. Parts that do not change are shared. @throws BundleError
 */
export function applyDelta(
  base: SnapshotBundle,
  delta: DeltaBundle,
  limits: Pick<BundleLimits, "values"> = defaultBundleLimits,
): SnapshotBundle {
  if (!base.manifest.roots.equals(delta.manifest.roots))
    throw new BundleError(
      "INVALID_PATCH",
      `the delta's roots are ${delta.manifest.roots}, those of the bundle it is for ${base.manifest.roots}: give its .manifest the same roots`,
    );
  // Counted as if nothing were ever removed, so that a stream of deltas cannot grow without end.
  const values = base.values + delta.values;
  if (values > limits.values)
    throw new BundleError(
      "LIMIT_EXCEEDED",
      `the deltas since the last whole bundle bring it to more than ${limits.values} values: serve a whole one`,
    );
  const edit = new Edit(base.data);
  for (const [at, operation] of delta.patch.entries()) edit.apply(operation, at);
  return { ...base, manifest: delta.manifest, data: edit.root, values };
}

type Container = Record<string, RegoValue> | RegoValue[];

/** A document under edit: what it copied once it changes in place from then on. */
class Edit {
  readonly root: Record<string, RegoValue>;
  readonly #owned = new WeakSet<object>();
  #work = 0;

  constructor(document: PlainObject) {
    this.root = this.#copy(document) as Record<string, RegoValue>;
  }

  apply(operation: PatchOperation, at: number): void {
    const fail = (problem: string): never => {
      const path = operation.path.join("/").slice(0, 200);
      throw new BundleError(
        "INVALID_PATCH",
        `data[${at}] cannot ${operation.op} ${JSON.stringify(path)}: ${problem}`,
        {
          file: patchFile,
        },
      );
    };
    let container: Container = this.root;
    for (const key of operation.path.slice(0, -1))
      container = this.#enter(container, key, operation.op === "upsert", fail);
    const last = operation.path.at(-1) ?? "";
    if (isList(container)) this.#changeList(container, last, operation, fail);
    else changeObject(container, last, operation, fail);
  }

  /** The container one step down, the edit's own from now on. Objects on the way are made where that is allowed. */
  #enter(container: Container, key: string, mayMake: boolean, fail: (problem: string) => never): Container {
    const at = isList(container) ? indexIn(container, key) : key;
    const child = at === undefined ? undefined : ownValue(container, at);
    if (at === undefined || (child === undefined && (!mayMake || isList(container))))
      return fail(`${JSON.stringify(key.slice(0, 100))} does not exist`);
    if (child !== undefined && !isPlain(child) && !isArray(child))
      return fail(`${JSON.stringify(key.slice(0, 100))} is neither an object nor a list`);
    if (child !== undefined && this.#owned.has(child)) return child as Container;
    const copy = this.#copy(child ?? {});
    put(container, at, copy);
    return copy;
  }

  #copy(value: PlainObject | readonly RegoValue[]): Container {
    this.#count(isArray(value) ? value.length : Object.keys(value).length);
    const copy: Container = isArray(value) ? [...value] : Object.assign(Object.create(null), value);
    this.#owned.add(copy);
    return copy;
  }

  #changeList(
    list: RegoValue[],
    key: string,
    operation: PatchOperation,
    fail: (problem: string) => never,
  ): void {
    const isAppended = operation.op === "upsert" && (key === "-" || key === String(list.length));
    const at = isAppended ? list.length : (indexIn(list, key) ?? fail(`the list has ${list.length} items`));
    if (operation.op !== "replace") this.#count((list.length - at) >>> 4);
    if (operation.op === "remove") list.splice(at, 1);
    else list.splice(at, operation.op === "replace" ? 1 : 0, operation.value);
  }

  #count(entries: number): void {
    this.#work += 1 + entries;
    if (this.#work > maxWork)
      throw new BundleError("LIMIT_EXCEEDED", "takes too long to apply: serve a whole bundle", {
        file: patchFile,
      });
  }
}

function changeObject(
  object: Record<string, RegoValue>,
  key: string,
  operation: PatchOperation,
  fail: (problem: string) => never,
): void {
  if (operation.op !== "upsert" && !Object.hasOwn(object, key)) fail("it does not exist");
  if (operation.op === "remove") delete object[key];
  else object[key] = operation.value;
}

function isList(container: Container): container is RegoValue[] {
  return Array.isArray(container);
}

function ownValue(container: Container, at: number | string): RegoValue | undefined {
  if (isList(container)) return container[Number(at)];
  return getKey(container, String(at));
}

function put(container: Container, at: number | string, value: RegoValue): void {
  if (isList(container)) container[Number(at)] = value;
  else container[String(at)] = value;
}

/** The index of an item that is there. */
function indexIn(list: readonly RegoValue[], key: string): number | undefined {
  const at = Number(key);
  return Number.isSafeInteger(at) && at >= 0 && at < list.length && String(at) === key ? at : undefined;
}

/** `data.json` and `data.yaml`: documents placed in `data` by the folder they lie in. */
import { setOwnKey } from "../../own-key.ts";
import { BuiltinError, EvaluationError } from "../builtins/contract.ts";
import { parseYaml } from "../builtins/yaml.ts";
import { getKey, type RegoValue, ValueDepthError } from "../values.ts";
import { metered } from "../work-meter.ts";
import { BundleError } from "./errors.ts";
import { isPlain, readJson } from "./json-file.ts";
import { decodeText } from "./text.ts";

type Tree = Record<string, RegoValue>;

/** Units of work for a byte of YAML: a hundred times what ordinary documents take. */
const yamlWorkPerByte = 2_000;

/** The name of a file without its folders. */
export function baseOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

export function isYamlData(base: string): boolean {
  return base === "data.yaml" || base === "data.yml";
}

export function isDataFile(base: string): boolean {
  return base === "data.json" || isYamlData(base);
}

/** At least as many as the values of a JSON text, or those a YAML text spells out: each begins behind one of these. */
export function countValues(bytes: Uint8Array, isYaml: boolean): number {
  let count = 1;
  // By index: going through hundreds of megabytes with an iterator takes ten times as long.
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === 0x2c || byte === 0x5b || byte === 0x7b || (isYaml && byte === 0x0a)) count += 1;
  }
  return count;
}

/** All data of a bundle. Nothing else holds what it is made of. */
export class DataTree {
  readonly root: Tree = Object.create(null);
  /** @throws BundleError also where two files give one place a value. */
  add(path: string, bytes: Uint8Array): void {
    const value = isYamlData(baseOf(path)) ? readYaml(bytes, path) : readJson(bytes, path);
    const folders = path.split("/").slice(0, -1);
    if (folders[0]?.startsWith("."))
      throw new BundleError(
        "INVALID_FILE",
        "lies in a folder whose name begins with a dot, which OPA would drop",
        {
          file: path,
        },
      );
    let tree: Tree = this.root;
    for (const [at, folder] of folders.entries()) {
      const isLast = at === folders.length - 1;
      const there = getKey(tree, folder);
      if (isLast && there === undefined && !isPlain(value)) {
        setOwnKey<RegoValue>(tree, folder, value);
        return;
      }
      if (there !== undefined && (!isPlain(there) || (isLast && !isPlain(value))))
        throw conflict(path, folders.slice(0, at + 1));
      const next = (there ?? Object.create(null)) as Tree;
      if (there === undefined) setOwnKey<RegoValue>(tree, folder, next);
      tree = next;
    }
    if (!isPlain(value))
      throw new BundleError("INVALID_FILE", "must be an object, as it is the root of data", { file: path });
    merge(tree, value as Tree, path, folders);
  }
}

/** @throws BundleError */
export function readYaml(bytes: Uint8Array, path: string): RegoValue {
  const text = decodeText(bytes, path);
  let left = 1_000_000 + bytes.length * yamlWorkPerByte;
  const spend = (units: number): void => {
    left -= units;
    if (left < 0)
      throw new EvaluationError("eval_cancel_error", "its aliases or nesting take too long to read");
  };
  try {
    return metered(spend, () => parseYaml(text));
  } catch (error) {
    if (error instanceof EvaluationError || error instanceof ValueDepthError)
      throw new BundleError("LIMIT_EXCEEDED", `is too much YAML: ${error.message}`, {
        file: path,
        cause: error,
      });
    if (error instanceof BuiltinError)
      throw new BundleError("INVALID_FILE", `is not YAML: ${error.message}`, { file: path, cause: error });
    throw error;
  }
}

/** Objects become one, key by key; anything else may be given once. As deep as JSON may be nested. */
function merge(tree: Tree, added: Tree, file: string, path: readonly string[]): void {
  for (const key of Object.keys(added)) {
    const value = getKey(added, key) ?? null;
    const there = getKey(tree, key);
    if (there === undefined) setOwnKey<RegoValue>(tree, key, value);
    else if (isPlain(there) && isPlain(value)) merge(there as Tree, value as Tree, file, [...path, key]);
    else throw conflict(file, [...path, key]);
  }
}

function conflict(file: string, path: readonly string[]): BundleError {
  const place = path.slice(0, 20).join("/").slice(0, 200);
  return new BundleError(
    "INVALID_FILE",
    `gives data at ${JSON.stringify(place)}, where another file gives it too`,
    { file },
  );
}

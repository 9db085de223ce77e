/** JSON files of a bundle, read as OPA reads them: numbers exact, of equal keys the last, every key an object's own. */
import { JsonSyntaxError, parseJson } from "../builtins/go/json-parse.ts";
import {
  type AnyObject,
  getKey,
  isArray,
  isObject,
  type PlainObject,
  type RegoValue,
  ValueDepthError,
} from "../values.ts";
import { BundleError, type BundleErrorCode } from "./errors.ts";
import { isPlainJson } from "./plain-json.ts";
import { decodeText } from "./text.ts";

/** @throws BundleError */
export function readJson(bytes: Uint8Array, file: string, code: BundleErrorCode = "INVALID_FILE"): RegoValue {
  const text = decodeText(bytes, file);
  try {
    return plainJson(bytes, text) ?? parseJson(text);
  } catch (error) {
    throw jsonFailure(error, file, code);
  }
}

/** Undefined where the text must be read with more care, be it to say what is wrong with it. */
function plainJson(bytes: Uint8Array, text: string): RegoValue | undefined {
  if (!isPlainJson(bytes)) return undefined;
  try {
    return JSON.parse(text) as RegoValue;
  } catch {
    return undefined;
  }
}

/** The reason why a text is no JSON as an error of the file; any other error as it is. */
export function jsonFailure(error: unknown, file: string, code: BundleErrorCode = "INVALID_FILE"): unknown {
  if (error instanceof JsonSyntaxError)
    return new BundleError(code, `is not JSON: ${error.message}`, { file, cause: error });
  if (error instanceof ValueDepthError)
    return new BundleError("LIMIT_EXCEEDED", "is nested too deep", { file, cause: error });
  return error;
}

export function isPlain(value: RegoValue | undefined): value is PlainObject {
  return value !== undefined && isObject(value) && !isArray(value);
}

/** The fields of one JSON object of a bundle, refused by name. */
export class Fields {
  readonly #object: AnyObject;
  readonly #file: string;
  readonly #code: BundleErrorCode;
  readonly #within: string;

  /** @param within names the object in messages where it is not the whole file: `data[3].`. */
  constructor(value: RegoValue, file: string, code: BundleErrorCode, within = "") {
    this.#file = file;
    this.#code = code;
    this.#within = within;
    if (!isPlain(value))
      throw new BundleError(
        code,
        `${within === "" ? "the file" : within.slice(0, -1)} must be a JSON object`,
        { file },
      );
    this.#object = value;
  }

  fail(name: string, problem: string): never {
    throw new BundleError(this.#code, `${this.#within}${name} ${problem}`, { file: this.#file });
  }

  get(name: string): RegoValue | undefined {
    return getKey(this.#object, name);
  }

  /** Absent and null are one, as for a pointer in Go. */
  optional(name: string): RegoValue | undefined {
    return this.get(name) ?? undefined;
  }

  text(name: string): string | undefined {
    const value = this.optional(name);
    return value === undefined || typeof value === "string" ? value : this.fail(name, "must be a string");
  }

  list(name: string, most: number): readonly RegoValue[] | undefined {
    const value = this.optional(name);
    if (value === undefined) return undefined;
    if (!isArray(value)) return this.fail(name, "must be a list");
    return value.length <= most
      ? value
      : this.fail(name, `has ${value.length} items, at most ${most} are allowed`);
  }

  object(name: string): PlainObject | undefined {
    const value = this.optional(name);
    return value === undefined || isPlain(value) ? value : this.fail(name, "must be an object");
  }

  /**
   * Go takes `Roots` for `roots`, so OPA would read a manifest with it otherwise than it is read here.
   * @throws BundleError
   */
  refuseOtherCase(known: readonly string[]): void {
    const exact = new Set(known);
    for (const key of Object.keys(this.#object))
      if (!exact.has(key) && exact.has(key.toLowerCase()))
        this.fail(JSON.stringify(key), `must be written ${JSON.stringify(key.toLowerCase())}`);
  }
}

/**
 * `opa.runtime` and the metadata functions. What the runtime shows is the caller's choice; credentials in a `config`
 * are left out all the same, as OPA does (v1/topdown/runtime.go).
 */
import {
  type AnyObject,
  entriesOf,
  getKey,
  isArray,
  isObject,
  type PlainObject,
  type RegoValue,
} from "../values.ts";
import type { Builtin } from "./contract.ts";
import { builtin, failure } from "./operands.ts";

function without(value: RegoValue, names: ReadonlySet<string>): RegoValue {
  if (!isObject(value)) {
    return value;
  }
  const kept: [string, RegoValue][] = [];
  for (const [key, item] of entriesOf(value)) {
    if (typeof key === "string" && !names.has(key)) {
      kept.push([key, item]);
    }
  }
  return Object.fromEntries(kept);
}

function eachWithout(value: RegoValue, names: ReadonlySet<string>): RegoValue {
  if (isArray(value)) {
    return value.map((item) => without(item, names));
  }
  if (!isObject(value)) {
    return value;
  }
  return Object.fromEntries(
    Array.from(entriesOf(value), ([key, item]) => [String(key), without(item, names)] as const),
  );
}

const CREDENTIALS: ReadonlySet<string> = new Set(["credentials"]);
const KEYS: ReadonlySet<string> = new Set(["key", "private_key"]);

function redactedConfig(config: AnyObject): RegoValue {
  return Object.fromEntries(
    Array.from(entriesOf(config), ([key, value]): [string, RegoValue] => {
      const secrets = key === "services" ? CREDENTIALS : key === "keys" ? KEYS : undefined;
      return [String(key), secrets === undefined ? value : eachWithout(value, secrets)];
    }),
  );
}

function redacted(runtime: PlainObject): RegoValue {
  const config = getKey(runtime, "config");
  return config !== undefined && isObject(config) ? { ...runtime, config: redactedConfig(config) } : runtime;
}

/** The compiler replaces these calls inside rules; what is left of them is outside any. */
function metadata(name: string): Builtin {
  return builtin(name, 0, () => {
    throw failure(`the ${name} function must only be called within the scope of a rule`);
  });
}

export const runtimeBuiltins: readonly Builtin[] = [
  builtin("opa.runtime", 0, (_, context) => redacted(context.runtime)),
  metadata("rego.metadata.chain"),
  metadata("rego.metadata.rule"),
];

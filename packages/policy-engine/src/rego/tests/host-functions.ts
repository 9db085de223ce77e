/**
 * Functions that Trivy gives to its checks besides OPA's built-ins (its pkg/iac/rego/custom.go), so that tests of such
 * checks run here. Policies of ShieldX have none of them.
 */
import type { Builtin } from "../builtins/contract.ts";
import { getKey, isObject, type RegoValue } from "../values.ts";

/** What a result says where its cause does not. */
const unknown: Readonly<Record<string, RegoValue>> = {
  startline: 0,
  endline: 0,
  sourceprefix: "",
  filepath: "",
  explicit: false,
  managed: true,
  fskey: "",
  resource: "",
  parent: null,
};

/** Members of a cause by what a result calls them; of two the later counts. */
const taken: readonly (readonly [string, string])[] = [
  ["startline", "startline"],
  ["StartLine", "startline"],
  ["endline", "endline"],
  ["EndLine", "endline"],
  ["filepath", "filepath"],
  ["sourceprefix", "sourceprefix"],
  ["Path", "filepath"],
  ["explicit", "explicit"],
  ["managed", "managed"],
  ["fskey", "fskey"],
  ["resource", "resource"],
];

/** Causes within causes that are followed. */
const mostParents = 64;

function member(value: RegoValue, key: string): RegoValue | undefined {
  return isObject(value) ? getKey(value, key) : undefined;
}

function resultOf(message: RegoValue | undefined, cause: RegoValue, depth = 0): RegoValue {
  const source = member(cause, "__defsec_metadata") ?? cause;
  const found = taken.flatMap(([key, name]) => {
    const value = member(source, key);
    return value === undefined ? [] : [[name, value] as const];
  });
  const parent = member(source, "parent");
  return {
    ...unknown,
    ...(message === undefined ? {} : { msg: message }),
    ...Object.fromEntries(found),
    ...(parent === undefined || depth >= mostParents
      ? {}
      : { parent: resultOf(undefined, parent, depth + 1) }),
  };
}

const functions: readonly Builtin[] = [
  { name: "result.new", arity: 2, call: ([message, cause = null]) => resultOf(message, cause) },
  {
    name: "isManaged",
    arity: 1,
    call: ([resource = null]) => member(resultOf("", resource), "managed"),
  },
];

export const hostFunctions: ReadonlyMap<string, Builtin> = new Map(
  functions.map((each) => [each.name, each]),
);

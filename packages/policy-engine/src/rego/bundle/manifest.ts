/** `.manifest` (OPA's documentation, "Bundle File Format"; v1/bundle Manifest). Fields it does not define are ignored. */
import { LimitError } from "../builtins/contract.ts";
import { compileGlob, type Glob, GlobSyntaxError } from "../builtins/go/glob-pattern.ts";
import { compareStrings } from "../scalar-order.ts";
import type { RegoValue } from "../values.ts";
import type { Manifest, RegoVersion } from "./bundle.ts";
import { BundleError } from "./errors.ts";
import { Fields, readJson } from "./json-file.ts";
import { Roots } from "./roots.ts";

export const manifestFile = ".manifest";

const knownFields = ["revision", "roots", "wasm", "rego_version", "file_rego_versions", "metadata"] as const;
const maxRevisionLength = 1_024;
const maxRoots = 1_000;
/** Of a root, in characters; each of its parts takes memory. */
const maxRootLength = 1_024;
const maxPatterns = 1_000;
const maxPatternLength = 1_024;
/** Steps that matching all patterns with all paths may take. */
const maxMatchingWork = 20_000_000;

const versions: readonly RegoVersion[] = ["v0", "v1", "v2"];

export interface ReadManifest {
  readonly manifest: Manifest;
  /**
   * The version a module is written in, by its path as the archive spells it, which is what OPA holds against patterns: with
   * a leading slash where `opa build` made it. Undefined where the manifest says nothing of it.
   */
  readonly versionOf: (path: string) => RegoVersion | undefined;
}

/** @param bytes undefined where the bundle has no manifest: it then owns all of `data`. @throws BundleError */
export function readManifest(bytes: Uint8Array | undefined): ReadManifest {
  if (bytes === undefined)
    return { manifest: { revision: "", roots: new Roots([""]), metadata: {} }, versionOf: () => undefined };
  const fields = new Fields(
    readJson(bytes, manifestFile, "INVALID_MANIFEST"),
    manifestFile,
    "INVALID_MANIFEST",
  );
  fields.refuseOtherCase(knownFields);
  if ((fields.list("wasm", maxRoots) ?? []).length > 0)
    throw new BundleError(
      "UNSUPPORTED",
      'has "wasm": WebAssembly is not run here, build the bundle without it',
      {
        file: manifestFile,
      },
    );
  const revision = fields.text("revision") ?? "";
  if (revision.length > maxRevisionLength)
    fields.fail("revision", `is longer than ${maxRevisionLength} characters`);
  return {
    manifest: { revision, roots: rootsOf(fields), metadata: fields.object("metadata") ?? {} },
    versionOf: versionsOf(fields),
  };
}

function rootsOf(fields: Fields): Roots {
  const roots = fields.list("roots", maxRoots);
  if (roots === undefined) return new Roots([""]);
  return new Roots(
    roots.map((root, at) => {
      if (typeof root !== "string") return fields.fail(`roots[${at}]`, "must be a string");
      if (root.length > maxRootLength)
        fields.fail(`roots[${at}]`, `is longer than ${maxRootLength} characters`);
      return trimSlashes(root);
    }),
  );
}

export function trimSlashes(path: string): string {
  let from = 0;
  let to = path.length;
  while (from < to && path[from] === "/") from += 1;
  while (to > from && path[to - 1] === "/") to -= 1;
  return path.slice(from, to);
}

function versionsOf(fields: Fields): ReadManifest["versionOf"] {
  const given = fields.optional("rego_version");
  const overall = given === undefined ? undefined : versionFrom(fields, "rego_version", given);
  const patterns = Object.entries(fields.object("file_rego_versions") ?? {});
  if (patterns.length > maxPatterns)
    fields.fail("file_rego_versions", `has more than ${maxPatterns} patterns`);
  // Which of several patterns that match counts is left open by OPA, which takes them in the order of their bytes.
  const compiled = patterns
    .sort(([a], [b]) => compareStrings(a, b))
    .map(([pattern, version]) => ({
      glob: globOf(fields, pattern),
      // null would be 0 to OPA: whoever means that can write it.
      version: versionFrom(fields, `file_rego_versions[${JSON.stringify(pattern)}]`, version),
    }));
  let left = maxMatchingWork;
  const spend = (units: number): void => {
    left -= units + 1;
    if (left < 0) fields.fail("file_rego_versions", "takes too long to match: use fewer or simpler patterns");
  };
  return (path) => compiled.find(({ glob }) => glob.matches(path, spend))?.version ?? overall;
}

function versionFrom(fields: Fields, name: string, value: RegoValue): RegoVersion {
  const version = typeof value === "number" ? versions[value] : undefined;
  return version ?? fields.fail(name, "must be 0, 1 or 2");
}

function globOf(fields: Fields, pattern: string): Glob {
  const name = `file_rego_versions[${JSON.stringify(pattern.slice(0, 100))}]`;
  if (pattern.length > maxPatternLength) fields.fail(name, `is longer than ${maxPatternLength} characters`);
  try {
    return compileGlob(pattern, []);
  } catch (error) {
    if (error instanceof GlobSyntaxError || error instanceof LimitError)
      return fields.fail(name, `is no pattern: ${error.message}`);
    throw error;
  }
}

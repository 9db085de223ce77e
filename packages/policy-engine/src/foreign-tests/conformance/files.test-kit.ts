/** Reads test files of others where they lie. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { parseManifestDocuments, parseManifests } from "@shieldx/crds";
import type { ImportedPolicy } from "../../foreign/index.ts";
import { builtCompiler } from "../../rego/compiler.test-kit.ts";
import { openRegoPolicies } from "../../rego-policies/index.ts";
import type { RegoLookup } from "../../rego-policies/state.ts";
import type { ReadObjects } from "../environment.ts";

export interface TestFile {
  readonly path: string;
  /** From the root. */
  readonly name: string;
  readonly documents: readonly { readonly value: unknown; readonly line: number }[];
}

/** YAML files below a folder whose documents include such ones; those that are no YAML are none of these. */
export function testFiles(root: string, isTest: (document: unknown) => boolean): TestFile[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.ya?ml$/.test(name))
    .sort()
    .flatMap((name) => {
      const path = join(root, name);
      const documents = documentsOf(path).filter(({ value }) => isTest(value));
      return documents.length === 0 ? [] : [{ path, name, documents }];
    });
}

function documentsOf(path: string): TestFile["documents"] {
  const text = readFileSync(path, "utf8");
  if (!/kind: (Suite|Test)\b/.test(text)) return [];
  return parseManifestDocuments(text, path);
}

/** As `shieldctl policy test` reads what a test names. */
export function reader(testFile: string): ReadObjects {
  const folder = dirname(testFile);
  return (path) => {
    const file = join(folder, path);
    try {
      const files = statSync(file).isDirectory() ? yamlBelow(file) : [file];
      return files.flatMap((each) => parseManifests(readFileSync(each, "utf8"), each));
    } catch (error) {
      return `${relative(folder, file)}: ${error instanceof Error ? error.message : String(error)}`;
    }
  };
}

function yamlBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.ya?ml$/.test(name))
    .sort()
    .map((name) => join(folder, name));
}

const clock = {
  monotonicNow: () => performance.now(),
  setTimeout: (callback: () => void, delayMs: number) => setTimeout(callback, delayMs),
  clearTimeout: (handle: NodeJS.Timeout | undefined) => clearTimeout(handle),
};

/** Compiles what is in Rego, in one go. */
export async function compiled(imported: readonly ImportedPolicy[]): Promise<RegoLookup | undefined> {
  const compilerFile = await builtCompiler();
  const specs = imported.map(({ policy }) => policy.spec).filter(({ engine }) => engine === "rego");
  if (compilerFile === undefined || specs.length === 0) return undefined;
  const rego = openRegoPolicies({ compilerFile, clock, log: () => undefined });
  rego.want(specs);
  await Promise.all(specs.map((spec) => rego.prepare(spec, 600_000)));
  rego.stop();
  return rego.state;
}

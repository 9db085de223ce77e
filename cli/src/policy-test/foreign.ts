/** Runs tests in formats of others on what ShieldX makes of the policies they are about. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { ManifestSyntaxError, parseManifests } from "@shieldx/crds";
import {
  type ForeignOutcome,
  prepareGatekeeperSuite,
  prepareKyvernoTest,
  type ReadObjects,
  type RegoLookup,
  runGatekeeperSuite,
  runKyvernoTest,
} from "@shieldx/policy-engine";
import { compiledRego } from "../policy/compiled-rego.ts";
import type { SuiteResult } from "./run.ts";
import type { TestSources } from "./sources.ts";

/** @param regoCompiler the compiler's module, for policies in Rego */
export async function runForeignSuites(
  { gatekeeper, kyverno }: TestSources,
  serverMinor: number,
  regoCompiler: string | undefined,
): Promise<SuiteResult[]> {
  const suites = gatekeeper.map((suite) => {
    const read = reader(suite.file);
    return { read, prepared: prepareGatekeeperSuite(suite, read) };
  });
  const tests = kyverno.map((test) => {
    const read = reader(test.file);
    return { read, prepared: prepareKyvernoTest(test, read) };
  });
  const imported = suites.flatMap(({ prepared }) => prepared.tests.flatMap((test) => test.imported.policies));
  const rego: RegoLookup | undefined = await compiledRego(
    imported.map(({ policy }) => policy),
    regoCompiler,
  );
  const environment = {
    serverMinor,
    rego,
    now: Date.now(),
    monotonicNow: () => performance.now(),
  };
  return [
    ...suites.flatMap(({ read, prepared }) =>
      resultsOf(prepared.suite, runGatekeeperSuite(prepared, read, environment)),
    ),
    ...tests.flatMap(({ read, prepared }) =>
      resultsOf(prepared.test, runKyvernoTest(prepared, read, environment)),
    ),
  ];
}

function resultsOf(
  { file, line }: { readonly file: string; readonly line: number },
  outcomes: readonly ForeignOutcome[],
): SuiteResult[] {
  const policies = [...new Set(outcomes.map(({ policy }) => policy))];
  return policies.map((policy) => ({
    policy,
    file,
    line,
    outcomes: outcomes.filter((outcome) => outcome.policy === policy),
  }));
}

const maxFileBytes = 64 * 1024 * 1024;

/** Files are named from the folder of the test; each is read once. */
function reader(testFile: string): ReadObjects {
  const folder = dirname(testFile);
  const known = new Map<string, ReturnType<ReadObjects>>();
  return (path) => {
    const file = join(folder, path);
    const objects = known.get(file) ?? objectsIn(file);
    known.set(file, objects);
    return objects;
  };
}

/** Of a folder, all there are in it. */
function objectsIn(file: string): ReturnType<ReadObjects> {
  try {
    const info = statSync(file);
    if (info.isDirectory()) return objectsBelow(file);
    // Whoever writes a test must not have a machine read a device without end.
    if (!info.isFile()) return `${file}: is no file`;
    const { size } = info;
    if (size > maxFileBytes) return `${file}: ${size} bytes; at most ${maxFileBytes} bytes are read`;
    return parseManifests(readFileSync(file, "utf8"), file);
  } catch (error) {
    if (error instanceof ManifestSyntaxError) return error.message;
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return `${file}: no such file`;
    return `${file}: cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function objectsBelow(folder: string): ReturnType<ReadObjects> {
  const objects: unknown[] = [];
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()) {
    const found = /\.(ya?ml|json)$/i.test(name) ? objectsIn(join(folder, name)) : [];
    if (typeof found === "string") return found;
    objects.push(...found);
  }
  return objects;
}

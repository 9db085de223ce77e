import type { PolicyTest, ShieldPolicy } from "@shieldx/crds";
import { UsageError } from "../errors.ts";
import { type Manifest, readManifests } from "../manifests/read.ts";
import { isPolicy, parsedPolicy } from "../policy/load.ts";
import { isTestFile, parseTestFile, type TestFile } from "./file.ts";

/** Cases to hold one policy against, and where they are written. */
export interface Suite {
  readonly policy: ShieldPolicy;
  readonly file: string;
  readonly line: number;
  readonly tests: readonly PolicyTest[];
}

interface Found {
  readonly policy: ShieldPolicy;
  readonly manifest: Manifest;
}

/**
 * What is to be run of the files given.
 *
 * @param only names of policies; all when empty
 * @throws UsageError for input that cannot be read, or names what is not there
 */
export async function collectSuites(paths: readonly string[], only: readonly string[]): Promise<Suite[]> {
  const suites = await suitesIn(await readManifests(paths));
  if (suites.length === 0)
    throw new UsageError("NoPolicies", `no ShieldPolicy and no PolicyTest in ${paths.join(", ")}`);
  return chosen(suites, only, ({ policy }) => policy.metadata.name);
}

/** Each policy with the cases it carries (none, if it has none), then the test files. Throws UsageError. */
export async function suitesIn(manifests: readonly Manifest[]): Promise<Suite[]> {
  const given = policiesIn(manifests);
  const files = manifests.filter(isTestFile).map(parseTestFile);
  const suites: Suite[] = given.map(({ policy, manifest: { file, line } }) => ({
    policy,
    file,
    line,
    tests: policy.spec.tests ?? [],
  }));
  for (const testFile of files) {
    const { file, line } = testFile.manifest;
    suites.push({ policy: await policyFor(testFile, given), file, line, tests: testFile.tests });
  }
  return suites;
}

function policiesIn(manifests: readonly Manifest[]): Found[] {
  return manifests.filter(isPolicy).map((manifest) => ({ policy: parsedPolicy(manifest), manifest }));
}

async function policyFor(
  { policy: name, policyFile, manifest: { file, line } }: TestFile,
  given: readonly Found[],
): Promise<ShieldPolicy> {
  const among = policyFile === undefined ? given : policiesIn(await readManifests([policyFile]));
  const named = among.filter(({ policy }) => policy.metadata.name === name);
  const [found, another] = named;
  const where = policyFile ?? "the files given";
  if (found === undefined) {
    const message = `${file}:${line}: no ShieldPolicy "${name}" in ${where}: correct policy, or name its file in policyFile`;
    throw new UsageError("UnknownPolicy", message);
  }
  if (another !== undefined) {
    const message = `${file}:${line}: ShieldPolicy "${name}" is in ${where} twice: name one file in policyFile`;
    throw new UsageError("DuplicatePolicy", message);
  }
  return found.policy;
}

/** Those about policies of these names; all when none are named. Throws UsageError for a name that nothing has. */
export function chosen<T>(suites: readonly T[], only: readonly string[], nameOf: (suite: T) => string): T[] {
  // Constraints are named with their kind, packages of Rego from their root.
  const isCalled = (suite: T, name: string): boolean => {
    const full = nameOf(suite);
    return full === name || full.endsWith(`/${name}`) || full === `data.${name}`;
  };
  const missing = only.find((name) => !suites.some((suite) => isCalled(suite, name)));
  if (missing !== undefined)
    throw new UsageError("UnknownPolicy", `--policy ${missing}: no such ShieldPolicy in the files given`);
  return suites.filter((suite) => only.length === 0 || only.some((name) => isCalled(suite, name)));
}

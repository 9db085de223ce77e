import type { PolicyTest, ShieldPolicy } from "@shieldx/crds";
import { parseShieldPolicy } from "@shieldx/crds";
import { UsageError } from "../errors.ts";
import { type Manifest, readManifests } from "../manifests/read.ts";
import { parsedPolicyObject } from "../policy/load.ts";
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
 * What is to be run of the files given: each policy with the cases it carries (none, if it has none), then the test files.
 *
 * @param only names of policies; all when empty
 * @throws UsageError for input that cannot be read, or names what is not there
 */
export async function collectSuites(paths: readonly string[], only: readonly string[]): Promise<Suite[]> {
  const manifests = await readManifests(paths);
  const given = policiesIn(manifests);
  const files = manifests.filter(isTestFile).map(parseTestFile);
  if (given.length === 0 && files.length === 0)
    throw new UsageError("NoPolicies", `no ShieldPolicy and no PolicyTest in ${paths.join(", ")}`);
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
  return chosen(suites, only);
}

function policiesIn(manifests: readonly Manifest[]): Found[] {
  return manifests
    .filter(({ object }) => object.apiVersion.startsWith("shieldx.io/") && object.kind === "ShieldPolicy")
    .map((manifest) => ({ policy: parsedPolicyObject(manifest, parseShieldPolicy), manifest }));
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

function chosen(suites: readonly Suite[], only: readonly string[]): Suite[] {
  const has = (name: string): boolean => suites.some(({ policy }) => policy.metadata.name === name);
  const missing = only.find((name) => !has(name));
  if (missing !== undefined)
    throw new UsageError("UnknownPolicy", `--policy ${missing}: no such ShieldPolicy in the files given`);
  return suites.filter(({ policy }) => only.length === 0 || only.includes(policy.metadata.name));
}

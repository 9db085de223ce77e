/** Test files: cases for a policy that stand beside it instead of in it. */
import { dirname, join } from "node:path";
import { type PolicyTest, policyTestSchema } from "@shieldx/crds";
import * as z from "zod";
import { UsageError } from "../errors.ts";
import type { Manifest } from "../manifests/read.ts";

export const TEST_FILE_API_VERSION = "cli.shieldx.io/v1alpha1";
export const TEST_FILE_KIND = "PolicyTest";

/** A file may hold more cases than a policy, which has to fit into etcd with them. */
const mostCases = 1_000;

const testFile = z.strictObject({
  apiVersion: z.literal(TEST_FILE_API_VERSION),
  kind: z.literal(TEST_FILE_KIND),
  metadata: z.looseObject({}).optional(),
  /** Name of the ShieldPolicy. */
  policy: z.string("write the name of the ShieldPolicy").min(1),
  /** Where it is, from the folder of this file; left out, it is among the files given. */
  policyFile: z.string().min(1).optional(),
  tests: z.array(policyTestSchema).min(1, "needs at least one case").max(mostCases),
});

/** The cases of one file, and which policy they are about. */
export interface TestFile {
  readonly manifest: Manifest;
  readonly policy: string;
  /** As it is to be opened. */
  readonly policyFile: string | undefined;
  readonly tests: readonly PolicyTest[];
}

export function isTestFile({ object }: Manifest): boolean {
  return object.kind === TEST_FILE_KIND && object.apiVersion.startsWith("cli.shieldx.io/");
}

/** Throws UsageError naming file, line and field. */
export function parseTestFile(manifest: Manifest): TestFile {
  const { file, line, object } = manifest;
  const { data, error } = testFile.safeParse(object);
  if (error !== undefined) {
    const [issue] = error.issues;
    const path = (issue?.path ?? []).map(String).join(".");
    const where = path === "" ? "" : `${path}: `;
    throw new UsageError(
      "InvalidTestFile",
      `${file}:${line}: ${where}${issue?.message ?? "is not a PolicyTest"}`,
    );
  }
  const policyFile = data.policyFile === undefined ? undefined : join(dirname(file), data.policyFile);
  return { manifest, policy: data.policy, policyFile, tests: data.tests };
}

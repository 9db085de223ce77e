/** The Kyverno CLI's own tests of policies in CEL. */
import { textAt } from "../../foreign/plain.ts";
import { prepareKyvernoTest, runKyvernoTest } from "../kyverno-run.ts";
import { isKyvernoTest, readKyvernoTest } from "../kyverno-test.ts";
import { reader, testFiles } from "./files.test-kit.ts";
import type { Counted } from "./results.test-kit.ts";

export const kyvernoModule = {
  path: "github.com/kyverno/kyverno",
  version: "v1.19.1",
  sum: "h1:/MkgFii3/VlQfKR1JpC9tVwNNVNQTt2S4U6qCsafsTU=",
} as const;

const celKinds =
  /^((Namespaced)?(Validating|Mutating|ImageValidating|Generating|Deleting)Policy|(Validating|Mutating)AdmissionPolicy)$/;

/** Results about policies in CEL, whatever kind they are of; those about others are none of these. */
export function kyvernoCases(root: string, folderOf: (name: string) => string): Counted[] {
  const environment = { serverMinor: 37, now: Date.now(), monotonicNow: () => 0 };
  return testFiles(root, isKyvernoTest).flatMap(({ path, name, documents }) =>
    documents.flatMap(({ value, line }) => {
      const read = reader(path);
      const prepared = prepareKyvernoTest(readKyvernoTest(value, path, line), read);
      const isAboutCel = (name: string): boolean =>
        prepared.policies.some(
          (policy) =>
            textAt(policy, "metadata", "name") === name.slice(name.lastIndexOf("/") + 1) &&
            celKinds.test(textAt(policy, "kind") ?? ""),
        );
      return runKyvernoTest(prepared, read, environment)
        .filter(({ policy }) => isAboutCel(policy))
        .map((outcome) => ({
          folder: folderOf(name),
          id: `${name}: ${outcome.policy}: ${outcome.name}`,
          outcome,
        }));
    }),
  );
}

/** Trivy's own tests of its checks of Kubernetes, compiled together with the libraries these use. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { nativeRegoCompiler } from "../../rego/compiler.test-kit.ts";
import { compileRegoTests, type RegoCoverage, runRegoTests } from "../../rego/tests/index.ts";
import type { Counted } from "./results.test-kit.ts";

export const trivyModule = {
  path: "github.com/aquasecurity/trivy-checks",
  version: "v1.10.0",
  sum: "h1:Q0FWsYy/uwvr/icRSOzNu55yDZ1ME8hZlpglNs62ZfE=",
} as const;

/** The last is a library that checks of Kubernetes use. Checks of other things need functions that read shell scripts and look for secrets, which no policy has. */
const folders = ["checks/kubernetes", "lib/kubernetes", "lib/cloud"];

export interface TrivyRun {
  readonly cases: readonly Counted[];
  readonly coverage: RegoCoverage;
}

/** @param native the compiler built for this machine, which takes a library some times faster */
export async function runTrivy(root: string, native: string): Promise<TrivyRun> {
  const names = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".rego"))
      .map((name) => join(folder, name)),
  );
  const modules = Object.fromEntries(names.map((name) => [name, readFileSync(join(root, name), "utf8")]));
  const compiled = await compileRegoTests(nativeRegoCompiler(native), modules);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  const { outcomes, coverage } = runRegoTests(compiled, { nowNs: BigInt(Date.now()) * 1_000_000n });
  const ofKubernetes = outcomes.filter(({ file }) => file.includes("kubernetes/"));
  const cases = ofKubernetes.map(({ file, name, result, message }) => ({
    folder: dirname(file),
    id: `${file}: ${name}`,
    outcome: { result: result === "late" ? ("error" as const) : result, message },
  }));
  return { cases, coverage };
}

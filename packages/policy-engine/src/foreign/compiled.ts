import { compilePolicy } from "../policy-set/compile.ts";
import { isTransient, PolicyCompileError } from "../policy-set/errors.ts";
import type { RegoLookup } from "../rego-policies/state.ts";
import type { Imported, ImportedPolicy, Note } from "./foreign.ts";

/**
 * What was imported without the policies in Rego that do not compile, each with an error that says why. `rego` knows what
 * became of them.
 */
export function withoutUncompilable(imported: Imported, rego: RegoLookup | undefined): Imported {
  const notes: Note[] = [...imported.notes];
  const policies = imported.policies.filter((each) => {
    const problem = problemOf(each, rego);
    if (problem === undefined) return true;
    const [source] = each.from;
    if (source !== undefined) notes.push({ source, path: "", ...problem });
    return problem.severity !== "error";
  });
  return { ...imported, policies, notes };
}

function problemOf(
  { policy }: ImportedPolicy,
  rego: RegoLookup | undefined,
): Pick<Note, "severity" | "message"> | undefined {
  if (policy.spec.engine !== "rego") return undefined;
  try {
    compilePolicy(policy, { serverMinor: 0, evaluatesNative: true, rego });
    return undefined;
  } catch (error) {
    if (!(error instanceof PolicyCompileError)) throw error;
    // A bundle is fetched by the cluster alone.
    if (error.code === "BundleFailed") return undefined;
    const isUntold = isTransient(error.code);
    return {
      severity: isUntold ? "note" : "error",
      message: isUntold
        ? `whether it compiles is not known: ${error.message}`
        : `does not compile: ${error.message}`,
    };
  }
}

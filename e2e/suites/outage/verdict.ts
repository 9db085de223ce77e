// What the API server says to a Pod, in one of the matrix's columns.
import { ApiError, Pod, TransportError } from "@shieldx/controller-runtime";
import { restrictedPod } from "../../shieldx/objects.ts";
import { asObject, type Column, type OutageBed } from "./bed.ts";

export type Verdict =
  | { readonly kind: "admitted" }
  /** By the policy, in its own words. */
  | { readonly kind: "judged" }
  | { readonly kind: "refused"; readonly message: string }
  | { readonly kind: "no answer"; readonly message: string };

/** Asks by dry run; `bad` wants the host's network. A name makes it real. Namespaces are named as their policies. */
export async function judge(
  { client }: OutageBed,
  policy: Column | "late",
  what: "good" | "bad",
  { name, namespace = policy }: { readonly name?: string; readonly namespace?: string } = {},
): Promise<Verdict> {
  const spec = what === "bad" ? { hostNetwork: true } : {};
  const pod = asObject(restrictedPod(name ?? `${what}-asked`, spec, namespace));
  try {
    await client.create(Pod, pod as Pod, { dryRun: name === undefined, retries: 0, timeoutMs: 15_000 });
    return { kind: "admitted" };
  } catch (error) {
    if (error instanceof TransportError) return { kind: "no answer", message: error.message };
    if (!(error instanceof ApiError)) throw error;
    const isJudged = error.code === 403 && error.message.includes(`ShieldPolicy "${policy}"`);
    return isJudged ? { kind: "judged" } : { kind: "refused", message: `${error.code} ${error.message}` };
  }
}

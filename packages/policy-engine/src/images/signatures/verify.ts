/** Whether a signature is one that a rule asks for. */
import type { ImageRule } from "../rules.ts";
import { verifyByCertificate } from "./certificates.ts";
import type { FoundSignature } from "./found.ts";
import { isSignedBy } from "./key.ts";

export type SignatureVerdict =
  /** `signer`: for people. `untilMs`: it proves nothing after that time. */
  | { readonly kind: "good"; readonly signer: string; readonly untilMs?: number }
  | { readonly kind: "bad"; readonly problem: string };

/** @param nowMs wall clock, milliseconds since the epoch */
export async function verifySignature(
  found: FoundSignature,
  { keys, certificates }: Pick<ImageRule, "keys" | "certificates">,
  digest: string,
  nowMs: number,
): Promise<SignatureVerdict> {
  // Else anybody could show the signature of another image.
  if (!found.digests.includes(digest)) return { kind: "bad", problem: "it signs something else" };
  const at = keys.findIndex((key) => isSignedBy(found, key));
  if (at >= 0) return { kind: "good", signer: `keys[${at}]` };
  const { evidence } = found;
  if (certificates === undefined || evidence === undefined) {
    const isOurs = keys.length === 0 ? "it has no certificate" : "it is not by a key of the rule";
    return { kind: "bad", problem: isOurs };
  }
  return await verifyByCertificate(found, evidence, certificates, nowMs);
}

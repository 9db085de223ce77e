import { createHash } from "node:crypto";
import { byCodePoint } from "../pod-security/check.ts";

/** One state of one policy, or of one exception (whose name is `namespace/name`). */
export interface PolicySetMember {
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  /** Of a policy that is judged by here because its status says so: the same generation is another state without. */
  readonly isJudgedByStatus?: true | undefined;
}

/**
 * SHA-256, in hex, over the members in name order: equal for equal sets whatever order they came in, so that
 * each webhook replica can say which set it holds and the operator can tell whether that is the newest.
 */
export function policySetDigest(members: Iterable<PolicySetMember>): string {
  const lines = [...members]
    .map(({ name, uid, generation, isJudgedByStatus }) =>
      JSON.stringify([name, uid, generation, ...(isJudgedByStatus === true ? ["judged"] : [])]),
    )
    .sort(byCodePoint);
  return createHash("sha256").update(lines.join("\n")).digest("hex");
}

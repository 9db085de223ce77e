import { z } from "zod";
import { fromJson } from "./from-json.ts";

/** Why a webhook replica cannot judge requests by a policy that it holds. */
export interface PolicyProblem {
  readonly policy: string;
  /** As a condition's. */
  readonly reason: string;
  readonly message: string;
}

/** Reason of a replica that judges by an older bundle, for it cannot have the newest: the policy is in force all the same. */
export const BUNDLE_FAILED = "BundleFailed";

/** Reason of a replica that does not serve a policy's rules over HTTP as they are written. */
export const NOT_SERVED = "NotServed";

/** Reason of a replica that does not understand a policy which the API server has not taken over yet: failurePolicy decides. */
export const NOT_UNDERSTOOD = "NotUnderstood";

/** Of a report: annotations of an object share 256 KiB. */
const mostBytes = 32 * 1024;

const reportSchema = z.array(
  z.object({
    policy: z.string().max(253),
    reason: z.string().regex(/^[A-Za-z]{1,64}$/),
    message: z.string().max(1024),
  }),
);

/** As the annotation of a replica's Lease; undefined when there is nothing to say. What does not fit is left out. */
export function formatPolicyProblems(problems: readonly PolicyProblem[]): string | undefined {
  if (problems.length === 0) return undefined;
  const report: PolicyProblem[] = [];
  let bytes = 0;
  for (const problem of problems) {
    const told = { ...problem, message: problem.message.slice(0, 1024).toWellFormed() };
    bytes += Buffer.byteLength(JSON.stringify(told)) + 1;
    if (bytes > mostBytes) break;
    report.push(told);
  }
  return JSON.stringify(report);
}

/** Whatever stands there: what is no such report says nothing. */
export function parsePolicyProblems(text: string | undefined): readonly PolicyProblem[] {
  return reportSchema.safeParse(fromJson(text)).data ?? [];
}

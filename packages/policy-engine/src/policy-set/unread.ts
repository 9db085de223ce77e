/**
 * Requests whose objects nobody looked at, because they are too large or there was no room for them. How large an object is,
 * whoever sends it chooses: so a policy that may be about it does what it does to what breaks it, whatever its failurePolicy.
 */
import type { CompiledPolicy } from "./compile.ts";
import { isLeftAlone, namespaceCleaners } from "./left-alone.ts";
import { type MatchSubject, matchSubject } from "./match.ts";
import { errorMessage } from "./message.ts";
import type { AdmissionRequestLike } from "./request.ts";
import type { Labels } from "./selector.ts";
import { type FindingAction, type Verdict, VerdictBuilder } from "./verdict.ts";

/** Why: `TooLarge` for good, `NoRoom` just now. */
export interface WhyUnread {
  readonly code: "TooLarge" | "NoRoom";
  /** In words, with the remedy. */
  readonly problem: string;
}

/** A policy, and what it does to what breaks it. */
export interface Concerned {
  readonly policy: CompiledPolicy;
  readonly action: FindingAction;
}

/** @param request without its objects */
export function verdictUnread(
  candidates: readonly Concerned[],
  request: AdmissionRequestLike,
  namespaceLabels: Labels | undefined,
  { code, problem }: WhyUnread,
): Verdict {
  const builder = new VerdictBuilder();
  const subject = matchSubject(request, namespaceLabels);
  for (const { policy, action } of candidates) {
    if (!mayBeAbout(policy, subject, request)) continue;
    builder.matched(policy.name);
    const { kind } = request.kind;
    const about = { kind, namespace: request.namespace ?? "", name: request.name ?? "", podPath: "" };
    const message = errorMessage(policy, about, problem);
    builder.add({
      policy: policy.name,
      action,
      code,
      message,
      violations: [],
      statusReason: "RequestEntityTooLarge",
    });
  }
  return builder.verdict();
}

/** What hangs on the object, as labels, conditions and exceptions do, may be so. */
function mayBeAbout(
  { match }: CompiledPolicy,
  subject: MatchSubject,
  request: AdmissionRequestLike,
): boolean {
  const { resource, subResource = "", operation, userInfo } = request;
  if (isLeftAlone(resource.group, resource.resource, subResource, operation)) return false;
  if (operation === "DELETE" && namespaceCleaners.includes(userInfo.username ?? "")) return false;
  return match.mayCover(subject);
}

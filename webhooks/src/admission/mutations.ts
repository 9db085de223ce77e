import { jsonDiff, type MutationVerdict, type ObjectTypes, type PolicySet } from "@shieldx/policy-engine";
import type { AdmissionAnswer, AdmissionRequest } from "../server/admission-review.ts";
import type { AdmissionHandler } from "../server/webhook-server.ts";
import { type Suspension, setAside } from "./break-glass.ts";
import { OutsideAnswers } from "./outside-answers.ts";
import {
  answerOf,
  count,
  countExceptions,
  isFailure,
  nothingBroken,
  type PolicyHandlerParts,
  requestFields,
  shareForLookup,
} from "./policies.ts";

/** Finds types of objects; what is not known yet is read within `timeoutMs`. Never rejects. */
export type FindTypes = (kind: Parameters<ObjectTypes>[0], timeoutMs: number) => Promise<ObjectTypes>;

export interface MutationHandlerParts extends PolicyHandlerParts {
  /** Policies of this one are applied. */
  readonly reinvocationPolicy: "Never" | "IfNeeded";
  readonly findTypes: FindTypes;
}

/** Applies the mutations of the policies of one failurePolicy and one reinvocationPolicy to the object of each request. */
export function mutationHandler(parts: MutationHandlerParts): AdmissionHandler {
  const { failurePolicy, reinvocationPolicy } = parts;
  return async (request, { deadlineMs, span }) => {
    const startedAt = performance.now();
    const set = parts.policySet();
    if (set === undefined) throw new Error("no policy set has been loaded yet");
    if (!set.mayMutate(request, { failurePolicy, reinvocationPolicy })) return { allowed: true };
    const judged = await decide(set, request, parts, startedAt + deadlineMs);
    const { verdict, suspensions } = setAside(judged, parts.brokenBy ?? nothingBroken);
    const tookMs = performance.now() - startedAt;
    parts.metrics.evaluation.labels({ failure_policy: failurePolicy.toLowerCase() }).observe(tookMs / 1000);
    count(parts.metrics, set, verdict, suspensions);
    countExceptions(parts, request, verdict);
    if (verdict.allowed) parts.letPass?.(request, suspensions);
    for (const policy of verdict.mutated) parts.metrics.mutated(policy);
    span?.set("shieldx.policies", verdict.matched);
    const failed = [...verdict.denials, ...verdict.audits].filter(isFailure);
    if (failed.length > 0) {
      const fields = { ...requestFields(request, failed, tookMs), problem: failed[0]?.message };
      parts.logger.warn(fields, "policies could not change an object; failurePolicy decides");
    }
    if (!verdict.allowed && request.dryRun !== true) parts.refusals.tell(request, verdict);
    return answerWithPatch(request, verdict, suspensions);
  };
}

const noTypes: ObjectTypes = () => undefined;

async function decide(
  set: PolicySet,
  request: AdmissionRequest,
  parts: MutationHandlerParts,
  until: number,
): Promise<MutationVerdict> {
  const { failurePolicy, reinvocationPolicy } = parts;
  const { namespace } = request;
  const forLookup = Math.max(1, until - performance.now()) * shareForLookup;
  const needsType = set.needsType(request, { failurePolicy, reinvocationPolicy });
  const [namespaceObject, types] = await Promise.all([
    namespace === undefined ? undefined : parts.findNamespace(namespace, forLookup, request.uid),
    needsType ? parts.findTypes(request.kind, forLookup) : noTypes,
  ] satisfies [unknown, ObjectTypes | Promise<ObjectTypes>]);
  return await new OutsideAnswers(parts, request.userInfo).settle(
    (context) =>
      set.mutation(request, {
        namespaceLabels: namespaceObject && (namespaceObject.metadata.labels ?? {}),
        namespaceObject,
        ...parts.lookedAt,
        now: parts.now(),
        failurePolicy,
        reinvocationPolicy,
        types,
        ...context,
      }),
    until,
  );
}

function answerWithPatch(
  { object: before }: AdmissionRequest,
  verdict: MutationVerdict,
  suspensions: readonly Suspension[],
): AdmissionAnswer {
  const answer = answerOf(verdict, suspensions);
  // Where a ShieldBreakGlass lets it pass, it passes as the policies that are not in the way have made it.
  const { allowed, made, mutated } = verdict;
  if (!allowed || made === undefined) return answer;
  return {
    ...answer,
    patch: jsonDiff(before as typeof made, made),
    auditAnnotations: { ...answer.auditAnnotations, mutated: mutated.join(", ") },
  };
}

import type { KubeObject } from "@shieldx/controller-runtime";
import type { FailurePolicy, PolicySet, Verdict, WhyUnread } from "@shieldx/policy-engine";
import type { AdmissionAnswer, AdmissionRequest } from "../server/admission-review.ts";
import type { UnreadHandler } from "../server/webhook-server.ts";
import { setAside } from "./break-glass.ts";
import {
  answerOf,
  count,
  nothingBroken,
  type PolicyHandlerParts,
  requestFields,
  shareForLookup,
} from "./policies.ts";

type Parts = Pick<
  PolicyHandlerParts,
  "failurePolicy" | "policySet" | "findNamespace" | "metrics" | "brokenBy" | "letPass" | "logger"
>;

type Decide = (
  set: PolicySet,
  request: AdmissionRequest,
  namespaceObject: KubeObject | undefined,
  why: WhyUnread,
) => Verdict;

/** Refuses for the policies of one failurePolicy what was not read and may be theirs: see ADR 46. */
export function unreadByPolicies(parts: Parts): UnreadHandler {
  return unreadHandler(parts, (set, request, namespaceObject, why) =>
    set.evaluateUnread(
      request,
      { failurePolicy: parts.failurePolicy, namespaceLabels: labelsOf(namespaceObject), namespaceObject },
      why,
    ),
  );
}

/** The same for those that would change the object. */
export function unreadByMutations(
  parts: Parts & { readonly reinvocationPolicy: "Never" | "IfNeeded" },
): UnreadHandler {
  const { failurePolicy, reinvocationPolicy } = parts;
  return unreadHandler(parts, (set, request, namespaceObject, why) =>
    set.mutateUnread(
      request,
      { failurePolicy, reinvocationPolicy, namespaceLabels: labelsOf(namespaceObject) },
      why,
    ),
  );
}

function unreadHandler(parts: Parts, decide: Decide): UnreadHandler {
  return async (request, { code, message }, { deadlineMs }) => {
    const startedAt = performance.now();
    const set = parts.policySet();
    if (set === undefined) throw new Error("no policy set has been loaded yet");
    if (request === undefined) return aboutUnknown(set, parts, code, message);
    const { namespace } = request;
    const namespaceObject =
      namespace === undefined
        ? undefined
        : await parts.findNamespace(namespace, Math.max(1, deadlineMs * shareForLookup), request.uid);
    const judged = decide(set, request, namespaceObject, { code, problem: message });
    const { verdict, suspensions } = setAside(judged, parts.brokenBy ?? nothingBroken);
    count(parts.metrics, set, verdict, suspensions);
    if (verdict.allowed) parts.letPass?.(request, suspensions);
    const found = [...verdict.denials, ...verdict.warnings, ...verdict.audits];
    if (found.length > 0) {
      const fields = requestFields(request, found, performance.now() - startedAt);
      parts.logger.warn(
        { ...fields, problem: message },
        "a request was not read, so policies could not judge it",
      );
    }
    return answerOf(verdict, suspensions);
  };
}

const labelsOf = (namespace: KubeObject | undefined) => namespace && (namespace.metadata.labels ?? {});

/** Not even what it is about was within reach. */
function aboutUnknown(
  set: PolicySet,
  { failurePolicy, logger }: { readonly failurePolicy: FailurePolicy; readonly logger: Parts["logger"] },
  code: WhyUnread["code"],
  message: string,
): AdmissionAnswer {
  if (!set.judges(failurePolicy)) return { allowed: true };
  logger.warn({ problem: message }, "a request was not read, so policies could not judge it");
  const status =
    code === "TooLarge"
      ? { code: 413, reason: "RequestEntityTooLarge" }
      : { code: 503, reason: "ServiceUnavailable" };
  return { allowed: false, status: { ...status, message: `ShieldX could not judge it: ${message}` } };
}

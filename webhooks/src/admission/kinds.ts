import {
  type ExceptionApproval,
  fitsWebhook,
  InvalidObjectError,
  MOST_WEBHOOK_CALLS,
  mutates,
  parseShieldCleanup,
  parseShieldGenerator,
  parseShieldPolicy,
  type ShieldPolicy,
} from "@shieldx/crds";
import {
  compileCleanup,
  compileGenerator,
  deepJsonText,
  describeMissing,
  isTransient,
  missingOnServer,
  PolicyCompileError,
  type PolicySet,
} from "@shieldx/policy-engine";
import type { AdmissionAnswer, AdmissionRequest } from "../server/admission-review.ts";
import type { AdmissionHandler } from "../server/webhook-server.ts";
import { judgeBreakGlass } from "./break-glass.ts";
import { approvalIn, invalid, judgeException } from "./exceptions.ts";
import type { ExpressionChecker } from "./expression-check.ts";
import type { FindNamespace } from "./policies.ts";
import { judgeTenantPolicy, type TenantPolicyParts } from "./tenant-policy.ts";
import { tryPolicy } from "./try-policy.ts";
import { leavesSpecAlone } from "./unchanged.ts";

export interface KindHandlerParts extends TenantPolicyParts {
  readonly policySet: () => PolicySet | undefined;
  readonly findNamespace: FindNamespace;
  readonly checkExpressions: ExpressionChecker;
  readonly now: () => number;
  /** How many ShieldBreakGlasses are open here. */
  readonly openBreakGlasses?: () => number;
  /** Somebody made an exception, or changed its spec, and may. */
  readonly approved?: (approval: ExceptionApproval) => void;
}

/** Checks objects of our kinds for what their schemas cannot say. The reconcilers check it all again. */
export function kindHandler(parts: KindHandlerParts): AdmissionHandler {
  return async (asked, { deadlineMs }) => {
    if (leavesSpecAlone(asked)) return { allowed: true };
    // As the operator reads it from its watch, with the same whole numbers rounded.
    const request = { ...asked, object: asked.object && JSON.parse(deepJsonText(asked.object)) };
    switch (request.kind.kind) {
      case "ShieldPolicy":
        return judgePolicy(request, parts, deadlineMs);
      case "NamespacedShieldPolicy":
        return judgeTenantPolicy(request, parts, deadlineMs);
      case "ShieldException": {
        const { namespace } = request;
        const found = await parts.findNamespace(namespace ?? "", deadlineMs / 2, request.uid);
        const namespaceLabels = found && (found.metadata.labels ?? {});
        const facts = { policySet: parts.policySet(), namespaceLabels, now: parts.now() };
        const answer = judgeException(request, facts);
        const approval = answer.allowed ? approvalIn(request) : undefined;
        if (approval !== undefined) parts.approved?.(approval);
        return answer;
      }
      case "ShieldBreakGlass": {
        const answer = judgeBreakGlass(request, {
          policySet: parts.policySet(),
          now: parts.now(),
          open: parts.openBreakGlasses?.(),
        });
        const approval = answer.allowed ? approvalIn(request) : undefined;
        if (approval !== undefined) parts.approved?.(approval);
        return answer;
      }
      case "ShieldGenerator":
        return judgeStanding(() => compileGenerator(parseShieldGenerator(request.object, read).spec));
      case "ShieldCleanup":
        return judgeStanding(() => compileCleanup(parseShieldCleanup(request.object, read).spec));
      default:
        return {
          allowed: true,
          warnings: [`ShieldX has no rules for kind ${request.kind.kind.slice(0, 63)}`],
        };
    }
  };
}

const read = { unknownFields: "drop" } as const;

/** Of kinds about what stands in the cluster: what the schema cannot say is whether they compile. */
function judgeStanding(compile: () => void): AdmissionAnswer {
  try {
    compile();
    return { allowed: true };
  } catch (error) {
    if (error instanceof InvalidObjectError || error instanceof PolicyCompileError)
      return invalid(error.message);
    throw error;
  }
}

/** Whether the API server need not understand the policy: it is off, or the webhook's, or will be. */
function isOursToEvaluate(spec: ShieldPolicy["spec"]): boolean {
  if (spec.actions.admission === "off" || mutates(spec) || spec.evaluation === "Webhook") return true;
  return spec.evaluation === "Auto" && fitsWebhook(spec);
}

async function judgePolicy(
  request: AdmissionRequest,
  parts: KindHandlerParts,
  deadlineMs: number,
): Promise<AdmissionAnswer> {
  let policy: ShieldPolicy;
  let isLacking = false;
  try {
    policy = parseShieldPolicy(request.object, { unknownFields: "drop" });
    const serverMinor = parts.serverMinor();
    const missing = missingOnServer(policy.spec, serverMinor);
    isLacking = missing !== undefined;
    if (missing !== undefined && !isOursToEvaluate(policy.spec)) {
      const told = describeMissing(missing, serverMinor);
      return invalid(
        `${told}: use evaluation Auto or Webhook, and name what the policy is about, in at most ${MOST_WEBHOOK_CALLS} combinations`,
      );
    }
    // Mutations are understood here whoever is going to make them; what the API server cannot evaluate, and what goes in by
    // stages, is ours.
    const evaluatesNative = isLacking || mutates(policy.spec) || policy.spec.rollout !== undefined;
    await tryPolicy(policy, parts.rego, { serverMinor, evaluatesNative }, deadlineMs);
  } catch (error) {
    if (error instanceof PolicyCompileError && isTransient(error.code))
      return {
        allowed: true,
        warnings: [`not checked in time; the policy's conditions will tell: ${error.message}`],
      };
    if (error instanceof InvalidObjectError || error instanceof PolicyCompileError)
      return invalid(error.message);
    throw error;
  }
  const { engine, evaluation, actions } = policy.spec;
  // What is evaluated here has been compiled here; the API server knows best what it takes itself.
  if (isLacking || mutates(policy.spec)) return { allowed: true };
  if (engine !== "cel" || evaluation === "Webhook" || actions.admission === "off") return { allowed: true };
  const check = await parts.checkExpressions(policy, deadlineMs);
  switch (check.result) {
    case "good":
      return { allowed: true };
    case "broken":
      return invalid(check.problems.join("; "));
    case "unknown":
      return { allowed: true, warnings: [`the expressions could not be checked now: ${check.why}`] };
    default:
      return check satisfies never;
  }
}

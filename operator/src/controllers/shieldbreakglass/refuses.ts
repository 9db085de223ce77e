import { fitsWebhook, mayRefuse, mutates, validates } from "@shieldx/crds";
import { asPolicy, type ShieldPolicyObject } from "../../kinds.ts";

/**
 * Why the API server still refuses by a policy that it evaluates, be it for a while: it knows no time, and hands over to the
 * webhook. undefined where it refuses nothing.
 * @param isRendered something of the policy is on the API server, of whichever half
 */
export function whyItRefuses(policy: ShieldPolicyObject, isRendered: boolean): string | undefined {
  const { spec } = asPolicy(policy);
  const { status } = policy;
  if (spec.engine !== "cel" || !mayRefuse(spec)) return undefined;
  if (status?.enforcedBy === "Native" && status.handingOverTo !== "Webhook" && !fitsWebhook(spec))
    return `${whatItDoes(spec)}, and the webhook cannot take over, for its rules have wildcards, or are about kinds that ShieldX is brought back with: ${remedyFor(spec)}`;
  if (status?.enforcedBy !== "Native" && !isRendered) return undefined;
  return "the API server still refuses by it; the webhook is taking over, which takes some seconds";
}

type Spec = ReturnType<typeof asPolicy>["spec"];

function whatItDoes(spec: Spec): string {
  return validates(spec)
    ? "the API server refuses by it"
    : "the API server refuses what it cannot change by it (failurePolicy Fail)";
}

/** A change cannot warn: such a policy is on or off. */
function remedyFor(spec: Spec): string {
  if (!mutates(spec)) return "set actions.admission to warn instead";
  return validates(spec) ? "set actions.admission to off instead" : "set failurePolicy to Ignore instead";
}

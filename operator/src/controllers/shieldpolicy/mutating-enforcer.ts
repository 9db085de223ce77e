import { fitsWebhook, MOST_WEBHOOK_CALLS, type ShieldPolicy } from "@shieldx/crds";
import type { Enforcer } from "./decide.ts";

/** What the API server can do beyond what every version we work with can. */
export interface ServerFeatures {
  /** Its minor version: functions that expressions may call came one by one. */
  readonly serverMinor: number;
  /** `admissionregistration.k8s.io/v1` MutatingAdmissionPolicy: Kubernetes 1.36 and later. */
  readonly servesMutatingPolicies: boolean;
}

/**
 * Who makes the mutations of a policy, and judges by its validations where it has both: the two are never parted, so that
 * one word says it.
 */
export function mutatingEnforcer(
  spec: ShieldPolicy["spec"],
  { servesMutatingPolicies }: Pick<ServerFeatures, "servesMutatingPolicies">,
): { by: Enforcer; reason: string } {
  const obstacle = whyNotNative(spec, servesMutatingPolicies);
  if (obstacle === undefined) {
    return {
      by: "Native",
      reason: "mutations are rendered as a MutatingAdmissionPolicy, which the API server evaluates itself",
    };
  }
  if (fitsWebhook(spec)) return { by: "Webhook", reason: `${obstacle}: ShieldX makes the mutations` };
  const reason = `${obstacle}, and the webhook takes no *, no groups ShieldX is brought back with and at most ${MOST_WEBHOOK_CALLS} combinations of group, version, resource and operation: name what the policy is about`;
  return { by: "None", reason };
}

function whyNotNative(spec: ShieldPolicy["spec"], isServed: boolean): string | undefined {
  if (!isServed) return "the API server has no MutatingAdmissionPolicy (Kubernetes 1.36 and later have)";
  if (spec.evaluation === "Auto" && spec.exceptions !== undefined && fitsWebhook(spec))
    return "the policy honours exceptions, and a MutatingAdmissionPolicy cannot tell when they end";
  return undefined;
}

import type { KubeObject, ObjectReference, ReconcileContext, Secret } from "@shieldx/controller-runtime";
import type { OperatorContext } from "./context.ts";
import type { ShieldPolicyObject } from "./kinds.ts";
import type { OwnedAction } from "./owned-object.ts";

export interface Restored {
  readonly kind:
    | "MutatingAdmissionPolicy"
    | "MutatingAdmissionPolicyBinding"
    | "MutatingWebhookConfiguration"
    | "ValidatingAdmissionPolicy"
    | "ValidatingAdmissionPolicyBinding"
    | "ValidatingWebhookConfiguration";
  readonly name: string;
  readonly wasDeleted: boolean;
  /** Whom the Event is about: the object itself, or the policy that it was rendered from. */
  readonly regarding: ObjectReference | KubeObject;
  /** Other policies that were rendered into it. */
  readonly alsoRegarding?: readonly KubeObject[];
}

/** Log line, metric and Event for what somebody else changed or deleted and we put back; nothing for other writes. */
export function tellRestoration(
  operator: OperatorContext,
  context: Pick<ReconcileContext, "logger" | "events">,
  action: OwnedAction,
  { kind, name, wasDeleted, regarding, alsoRegarding = [] }: Restored,
): void {
  if (action.kind !== "write" || !action.isRestoration) return;
  operator.metrics.tamperingRestored.inc({ kind });
  noteTime(operator, action, { kind, name, wasDeleted, regarding, alsoRegarding });
  const what = wasDeleted ? "deleted" : `changed (${action.drift.join(", ")})`;
  context.logger.warn({ object: name, drift: action.drift }, `${kind} was ${what}; restored`);
  for (const each of [regarding, ...alsoRegarding]) {
    context.events.event(each, {
      type: "Warning",
      reason: "TamperingRestored",
      action: "Restore",
      // A policy's binding is not told of as a repetition of its admission policy.
      related: { apiVersion: "admissionregistration.k8s.io/v1", kind, name },
      note: `${kind} "${name}" was ${what} by somebody else and has been restored`,
    });
  }
}

/** What enforces nothing, a label say, let nothing pass; what changes objects refuses nothing. */
function noteTime(
  { tamperingTimes }: OperatorContext,
  { drift }: { readonly drift: readonly string[] },
  { kind, name, wasDeleted, regarding, alsoRegarding = [] }: Restored,
): void {
  if (kind.startsWith("Mutating")) return;
  if (!wasDeleted && drift.every((path) => path.startsWith("metadata."))) return;
  const message = `${kind} "${name}" was ${wasDeleted ? "deleted" : "changed"} by somebody else`;
  const policies = [regarding, ...alsoRegarding]
    .filter((each) => each.kind === "ShieldPolicy")
    .map((each) => ("metadata" in each ? each.metadata.name : each.name));
  const isConfiguration = kind === "ValidatingWebhookConfiguration";
  tamperingTimes.note(
    name,
    isConfiguration ? "webhook" : new Set(policies.flatMap((one) => one ?? [])),
    message,
  );
}

/**
 * Whether the policy's own status says that it was in force, so that what enforced it must have been deleted. A status
 * older than the certificates is from before an uninstall, which leaves policies in place.
 */
export function wasInForce(
  { status, metadata }: ShieldPolicyObject,
  by: "Native" | "Webhook",
  caSecret: Secret | undefined,
): boolean {
  if (status?.enforcedBy !== by || status.observedGeneration !== metadata.generation) return false;
  const enforced = status.conditions?.find(({ type }) => type === "Enforced");
  const issuedAt = Date.parse(caSecret?.metadata.creationTimestamp ?? "");
  return enforced?.status === "True" && Date.parse(enforced.lastTransitionTime) >= issuedAt;
}

import type { KubeObject, ReconcileContext } from "@shieldx/controller-runtime";
import type { Condition } from "@shieldx/crds";

/** A policy of either kind. */
type Announced = KubeObject & {
  readonly status?: { readonly conditions?: readonly Condition[] | undefined };
};

/** An Event when readiness turned, so that a person who only looks at Events sees it. */
export function announce(
  context: ReconcileContext,
  policy: Announced,
  conditions: readonly Condition[],
): void {
  const ready = conditions.find(({ type }) => type === "Ready");
  const before = policy.status?.conditions?.find(({ type }) => type === "Ready");
  if (ready === undefined || (before?.status === ready.status && before.reason === ready.reason)) return;
  // Waiting for replicas or certificates is part of every start and not worth an Event.
  if (ready.status === "False" && TRANSIENT.has(ready.reason)) return;
  context.events.event(policy, {
    type: ready.status === "True" ? "Normal" : "Warning",
    reason: ready.reason,
    action: "Enforce",
    note: ready.message.slice(0, 1000),
  });
}

const TRANSIENT: ReadonlySet<string> = new Set([
  "WaitingForCertificate",
  "WaitingForReplica",
  "Publishing",
  "Loading",
  "PartlyLoaded",
  "NotInstalled",
  "HandingOver",
  "TakingIn",
  "Compiling",
  // Told step by step by who takes them.
  "RollingOut",
  "RolledBack",
]);

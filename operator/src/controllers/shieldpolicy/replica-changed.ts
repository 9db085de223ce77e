import { isDeepStrictEqual } from "node:util";
import type { Lease, ObjectChange } from "@shieldx/controller-runtime";
import { ANNOTATION } from "@shieldx/crds";

/** A Lease that only renewed tells nothing about policies, nor does one that tells who used or made exceptions, or what a rollout counts. */
export function replicaChanged(change: ObjectChange<Lease>): boolean {
  if (change.kind !== "updated") return true;
  return (
    !isDeepStrictEqual(aboutPolicies(change.old), aboutPolicies(change.object)) ||
    change.old.spec?.holderIdentity !== change.object.spec?.holderIdentity
  );
}

function aboutPolicies({ metadata: { annotations = {} } }: Lease): Readonly<Record<string, string>> {
  const {
    [ANNOTATION.exceptionUses]: _uses,
    [ANNOTATION.exceptionApprovals]: _approvals,
    [ANNOTATION.rollouts]: _rollouts,
    ...others
  } = annotations;
  return others;
}

import { type InForce, rolloutDigest, stagingOf } from "@shieldx/crds";
import { asPolicy, type ShieldPolicyObject } from "./kinds.ts";

/** Rollouts that were added a moment ago, and are not in any status yet. */
const most = 1_000;

/**
 * The version that was in force when a policy got its rollout. Only who sees the change can know it: from then on the
 * status tells.
 */
export class VersionsBefore {
  readonly #known = new Map<string, InForce>();

  /** To be called on every change of a policy. */
  changed(before: ShieldPolicyObject, after: ShieldPolicyObject): void {
    const { uid = "" } = after.metadata;
    const [old, now] = [asPolicy(before), asPolicy(after)];
    if (before.metadata.uid !== uid || now.spec.rollout === undefined || old.spec.rollout !== undefined)
      return;
    if (before.status?.enforcedBy === undefined || before.status.enforcedBy === "None") return;
    if (stagingOf(old) !== undefined) return;
    this.#known.set(uid, { digest: rolloutDigest(old.spec), spec: old.spec });
    for (const key of this.#known.keys()) {
      if (this.#known.size <= most) break;
      this.#known.delete(key);
    }
  }

  of(uid: string): InForce | undefined {
    return this.#known.get(uid);
  }

  /** The status tells, or the policy is gone. */
  forget(uid: string): void {
    this.#known.delete(uid);
  }
}

import { type Client, isNotFound, type KubeObject } from "@shieldx/controller-runtime";
import { ANNOTATION, parseShieldPolicy, type RolloutStatus } from "@shieldx/crds";
import { UsageError } from "../errors.ts";
import { ShieldPolicyType } from "../kinds.ts";

/** A policy's rollout as it is in the cluster. */
export interface RolloutSeen {
  readonly policy: string;
  readonly resourceVersion: string | undefined;
  readonly rollout: RolloutStatus;
  /** What was last asked for by annotation. */
  readonly request: string | undefined;
  /** Whether spec.rollout.paused holds it, which only a change of the policy ends. */
  readonly isPausedBySpec: boolean;
}

/** @throws UsageError when there is no such policy, or it has no rollout */
export async function readRollout(client: Client, name: string): Promise<RolloutSeen> {
  let object: KubeObject;
  try {
    object = await client.get(ShieldPolicyType, { name });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    throw new UsageError("UnknownPolicy", `there is no ShieldPolicy "${name}"`, { cause: error });
  }
  return seenIn(object);
}

/** @throws UsageError for a policy without a rollout */
export function seenIn(object: KubeObject): RolloutSeen {
  const { metadata, spec, status } = parseShieldPolicy(object, { unknownFields: "drop" });
  if (spec.rollout === undefined)
    throw new UsageError(
      "NoRollout",
      `ShieldPolicy "${metadata.name}" has no spec.rollout: it is in force as it is written`,
    );
  if (status?.rollout === undefined)
    throw new UsageError(
      "RolloutNotBegun",
      `the rollout of ShieldPolicy "${metadata.name}" has not begun: see its conditions (kubectl describe shieldpolicy ${metadata.name}), and whether an operator runs (shieldctl status)`,
      { exitCode: 1 },
    );
  const annotations = object.metadata.annotations ?? {};
  return {
    policy: metadata.name,
    resourceVersion: object.metadata.resourceVersion,
    rollout: status.rollout,
    request: Object.hasOwn(annotations, ANNOTATION.rollout) ? annotations[ANNOTATION.rollout] : undefined,
    isPausedBySpec: spec.rollout.paused === true,
  };
}

import {
  type KubeObject,
  type ReconcileContext,
  Secret,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from "@shieldx/controller-runtime";
import { CA_SECRET } from "@shieldx/crds";
import { ownersOfField } from "@shieldx/policy-engine";
import { type OperatorContext, sooner } from "../../context.ts";
import { ShieldPolicyType } from "../../kinds.ts";
import { type DesiredObject, type OwnedObjects, sealed } from "../../owned-object.ts";
import { tellRestoration, wasInForce } from "../../tampering.ts";
import type { NativeState, Obstruction } from "../shieldpolicy/decide.ts";
import type { PlannedObject } from "./plan.ts";
import { blamed, refusalOfPolicy } from "./refusal.ts";

export interface Cached {
  readonly policy: ValidatingAdmissionPolicy | undefined;
  readonly binding: ValidatingAdmissionPolicyBinding | undefined;
}

export interface Applied {
  /** Admission policy and binding are on the server as planned. */
  readonly isInPlace: boolean;
  readonly refusal: Obstruction | undefined;
  /** Policies that the API server does not take together with the others. */
  readonly blamed: readonly string[];
  readonly requeueAfterMs: number | undefined;
}

export class NativeObjects {
  readonly #operator: OperatorContext;
  readonly #owned: OwnedObjects;

  constructor(operator: OperatorContext, owned: OwnedObjects) {
    this.#operator = operator;
    this.#owned = owned;
  }

  /**
   * Brings one object in line, the policy before its binding. `isElsewhere`: policies that are enforced from another
   * object, too, so that this one may be new.
   */
  async apply(
    context: ReconcileContext,
    planned: PlannedObject,
    isElsewhere: (policy: string) => boolean,
  ): Promise<Applied> {
    const { obstacles, clock } = this.#operator;
    const cached = cachedNative(context, planned.name);
    const subject = subjectOf(planned.name);
    try {
      const { policy, binding } = planned;
      const kept = [
        await this.#keep(context, planned, ValidatingAdmissionPolicy, cached.policy, policy, isElsewhere),
        await this.#keep(
          context,
          planned,
          ValidatingAdmissionPolicyBinding,
          cached.binding,
          binding,
          isElsewhere,
        ),
      ];
      obstacles.clear(subject);
      const isInPlace = kept.every((each) => each.isThere);
      const requeueAfterMs = sooner(...kept.map(({ waitMs }) => waitMs));
      return { isInPlace, refusal: undefined, blamed: [], requeueAfterMs };
    } catch (error) {
      const refused = refusalOfPolicy(error);
      if (refused === undefined) throw error;
      const guilty = blamed(error, refused, planned);
      if (guilty.length > 0) {
        obstacles.clear(subject);
        return { isInPlace: false, refusal: undefined, blamed: guilty, requeueAfterMs: 1 };
      }
      const { refusal, retryAfterMs } = obstacles.refused(subject, refused, clock.now());
      return { isInPlace: false, refusal, blamed: [], requeueAfterMs: retryAfterMs };
    }
  }

  /** Deletes an object, the binding before its policy. Returns when to try again where the API server refuses that. */
  async remove(context: ReconcileContext, name: string): Promise<number | undefined> {
    const { obstacles, clock } = this.#operator;
    const cached = cachedNative(context, name);
    try {
      await this.#owned.remove(context.client, ValidatingAdmissionPolicyBinding, cached.binding, name);
      await this.#owned.remove(context.client, ValidatingAdmissionPolicy, cached.policy, name);
    } catch (error) {
      return obstacles.failed(subjectOf(name), error, clock.now()).retryAfterMs;
    }
    obstacles.clear(subjectOf(name));
    return undefined;
  }

  async #keep(
    context: ReconcileContext,
    { name, merged, wants }: PlannedObject,
    type: typeof ValidatingAdmissionPolicy | typeof ValidatingAdmissionPolicyBinding,
    cached: KubeObject | undefined,
    desired: DesiredObject,
    isElsewhere: (policy: string) => boolean,
  ): Promise<{ readonly isThere: boolean; readonly waitMs: number | undefined }> {
    const operator = this.#operator;
    const caSecret = context.get(Secret, { name: CA_SECRET, namespace: operator.namespace });
    const names = merged === undefined ? wants : merged.members;
    const policies = names.flatMap(({ policy }) => context.get(ShieldPolicyType, { name: policy }) ?? []);
    // While the webhook enforces them all, the object is gone because we have deleted it.
    const isHandedOver =
      policies.length > 0 && policies.every(({ status }) => status?.enforcedBy === "Webhook");
    const evidence = {
      departed: isHandedOver ? undefined : operator.departures.of<KubeObject>(type, name),
      wasInForce: policies.some(
        (policy) => wasInForce(policy, "Native", caSecret) && !isElsewhere(policy.metadata.name),
      ),
    };
    const now = operator.clock.now();
    const { action } = await this.#owned.ensure(context.client, type, cached, sealed(desired), now, evidence);
    if (action.kind === "wait") {
      return { isThere: cached !== undefined || action.on === "cache", waitMs: action.forMs };
    }
    const [first, ...others] = policies;
    tellRestoration(operator, context, action, {
      kind:
        type === ValidatingAdmissionPolicy ? "ValidatingAdmissionPolicy" : "ValidatingAdmissionPolicyBinding",
      name,
      wasDeleted: cached === undefined,
      regarding: first ?? { apiVersion: desired.apiVersion, kind: desired.kind, name },
      alsoRegarding: others,
    });
    return { isThere: true, waitMs: undefined };
  }
}

/** Objects of ours under a name; one of somebody else's that happens to bear it is not among those the cache holds. */
export function cachedNative(context: Pick<ReconcileContext, "get">, name: string): Cached {
  return {
    policy: context.get(ValidatingAdmissionPolicy, { name }),
    binding: context.get(ValidatingAdmissionPolicyBinding, { name }),
  };
}

export function isThere({ policy, binding }: Cached): boolean {
  return policy !== undefined && binding !== undefined;
}

/** Type-check warnings of the version that is on the server, by policy, with paths as its author knows them. */
export function warningsOf(
  { policy }: Cached,
  { merged, wants }: PlannedObject,
): ReadonlyMap<string, NativeState["typeWarnings"]> {
  const { status, metadata } = policy ?? {};
  if (status?.observedGeneration === undefined || status.observedGeneration !== metadata?.generation)
    return new Map();
  const warnings = status.typeChecking?.expressionWarnings ?? [];
  if (merged === undefined) return new Map(wants.map(({ policy: name }) => [name, warnings]));
  const found = new Map<string, { fieldRef: string; warning: string }[]>();
  for (const { fieldRef, warning } of warnings) {
    for (const { policy: name, field } of ownersOfField(merged.members, fieldRef)) {
      const own = found.get(name);
      if (own === undefined) found.set(name, [{ fieldRef: field, warning }]);
      else own.push({ fieldRef: field, warning });
    }
  }
  return found;
}

function subjectOf(object: string): string {
  return `native objects ${object}`;
}

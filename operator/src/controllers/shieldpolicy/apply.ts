import {
  type KubeObject,
  type ReconcileContext,
  type Refusal,
  refusalOf,
  Secret,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from "@shieldx/controller-runtime";
import { CA_SECRET, missingParameterRight } from "@shieldx/crds";
import { type OperatorContext, sooner } from "../../context.ts";
import type { ShieldPolicyObject } from "../../kinds.ts";
import { nativePolicyName } from "../../names.ts";
import { type OwnedObjects, sealed } from "../../owned-object.ts";
import { tellRestoration, wasInForce } from "../../tampering.ts";
import type { NativeObjects, NativeState, RenderedObject } from "./decide.ts";
import type { NativeCached } from "./observe.ts";

export interface NativeResult {
  /** undefined where nothing is to be rendered. */
  readonly state: NativeState | undefined;
  readonly requeueAfterMs: number | undefined;
}

/** The policy before its binding on the way in, the binding before its policy on the way out. */
export async function applyNative(
  operator: OperatorContext,
  context: ReconcileContext,
  owned: OwnedObjects,
  policy: ShieldPolicyObject,
  cached: NativeCached,
  desired: NativeObjects,
): Promise<NativeResult> {
  const typeWarnings = warningsOf(cached);
  try {
    const kept = [
      await keep(operator, context, owned, policy, ValidatingAdmissionPolicy, cached.policy, desired.policy),
      await keep(
        operator,
        context,
        owned,
        policy,
        ValidatingAdmissionPolicyBinding,
        cached.binding,
        desired.binding,
      ),
    ];
    operator.obstacles.clear(subjectOf(policy.metadata.name));
    return {
      state: { refusal: undefined, isInstalled: kept.every(({ isThere }) => isThere), typeWarnings },
      requeueAfterMs: sooner(...kept.map(({ waitMs }) => waitMs)),
    };
  } catch (error) {
    const refused = refusalOfPolicy(error);
    if (refused === undefined) throw error;
    const subject = subjectOf(policy.metadata.name);
    const { refusal, retryAfterMs } = operator.obstacles.refused(subject, refused, operator.clock.now());
    const isInstalled = cached.policy !== undefined && cached.binding !== undefined;
    return { state: { refusal, isInstalled, typeWarnings }, requeueAfterMs: retryAfterMs };
  }
}

/** Deletes what was rendered. Returns when to try again where the API server refuses that. */
export async function removeNative(
  operator: OperatorContext,
  context: ReconcileContext,
  owned: OwnedObjects,
  policy: string,
  cached: NativeCached,
): Promise<number | undefined> {
  const name = nativePolicyName(policy);
  try {
    await owned.remove(context.client, ValidatingAdmissionPolicyBinding, cached.binding, name);
    await owned.remove(context.client, ValidatingAdmissionPolicy, cached.policy, name);
  } catch (error) {
    return operator.obstacles.failed(subjectOf(policy), error, operator.clock.now()).retryAfterMs;
  }
  operator.obstacles.clear(subjectOf(policy));
  return undefined;
}

function subjectOf(policy: string): string {
  return `native objects of ShieldPolicy ${policy}`;
}

/** Type-check warnings of the version that is on the server. */
export function warningsOf({ policy }: NativeCached): NativeState["typeWarnings"] {
  const { status, metadata } = policy ?? {};
  if (status?.observedGeneration === undefined || status.observedGeneration !== metadata?.generation)
    return [];
  return status.typeChecking?.expressionWarnings ?? [];
}

async function keep(
  operator: OperatorContext,
  context: ReconcileContext,
  owned: OwnedObjects,
  policy: ShieldPolicyObject,
  type: typeof ValidatingAdmissionPolicy | typeof ValidatingAdmissionPolicyBinding,
  cached: NativeCached["policy"] | NativeCached["binding"],
  desired: RenderedObject,
): Promise<{ readonly isThere: boolean; readonly waitMs: number | undefined }> {
  const { name } = desired.metadata;
  const caSecret = context.get(Secret, { name: CA_SECRET, namespace: operator.namespace });
  const evidence = {
    departed: operator.departures.of<KubeObject>(type, name),
    wasInForce: wasInForce(policy, "Native", caSecret),
  };
  const now = operator.clock.now();
  const { action } = await owned.ensure(context.client, type, cached, sealed(desired), now, evidence);
  if (action.kind === "wait") {
    return { isThere: cached !== undefined || action.on === "cache", waitMs: action.forMs };
  }
  const wasDeleted = cached === undefined;
  tellRestoration(operator, context, action, { kind: desired.kind, name, wasDeleted, regarding: policy });
  return { isThere: true, waitMs: undefined };
}

/** What is the matter when the API server will not take what was rendered; undefined when trying again may help. */
export function refusalOfPolicy(error: unknown): Refusal | undefined {
  const refusal = refusalOf(error);
  if (refusal === undefined) return undefined;
  const missing = missingParameterRight(refusal.message);
  if (missing === undefined) return refusal;
  return {
    reason: "MissingRights",
    message: `spec.paramKind: ${missing}`,
    isPassing: false,
  };
}

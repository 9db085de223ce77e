/** The MutatingAdmissionPolicy and binding of a policy that changes objects, beside what is rendered of its validations. */
import {
  type KubeObject,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  type ReconcileContext,
  Secret,
} from "@shieldx/controller-runtime";
import { CA_SECRET, mutates } from "@shieldx/crds";
import { PolicyCompileError, type RenderedMutations, renderMutations } from "@shieldx/policy-engine";
import { type OperatorContext, sooner } from "../../context.ts";
import { asException, asPolicy } from "../../kinds.ts";
import { nativePolicyName } from "../../names.ts";
import { namespaceLabels } from "../../namespaces.ts";
import { type OwnedObjects, sealed } from "../../owned-object.ts";
import { tellRestoration, wasInForce } from "../../tampering.ts";
import { refusalOfPolicy } from "../native/refusal.ts";
import type { Enforcer, NativeState, Obstruction } from "./decide.ts";
import type { PolicyObservation } from "./observe.ts";

/** Of a policy's name, as the cache has them; only objects of ours are in it. */
export interface MutatingCached {
  readonly policy: MutatingAdmissionPolicy | undefined;
  readonly binding: MutatingAdmissionPolicyBinding | undefined;
}

export function cachedMutating(
  { servesMutatingPolicies }: OperatorContext,
  context: ReconcileContext,
  policy: string,
): MutatingCached {
  if (!servesMutatingPolicies) return { policy: undefined, binding: undefined };
  const key = { name: nativePolicyName(policy) };
  return {
    policy: context.get(MutatingAdmissionPolicy, key),
    binding: context.get(MutatingAdmissionPolicyBinding, key),
  };
}

export function isInstalled({ policy, binding }: MutatingCached): boolean {
  return policy !== undefined && binding !== undefined;
}

export interface MutatingResult {
  /** undefined where nothing is, or is to be, rendered. */
  readonly state: NativeState | undefined;
  readonly requeueAfterMs: number | undefined;
}

const nothingRendered: MutatingResult = { state: undefined, requeueAfterMs: undefined };

/** `by`: who is to act on requests under the policy now, be it for a while. */
export async function bringMutatingInLine(
  operator: OperatorContext,
  context: ReconcileContext,
  owned: OwnedObjects,
  observed: PolicyObservation,
  by: Enforcer,
  now: number,
): Promise<MutatingResult> {
  if (!operator.servesMutatingPolicies) return nothingRendered;
  const { policy, mutating: cached } = observed;
  if (!mutates(asPolicy(policy).spec) || by !== "Native") {
    const requeueAfterMs = await removeMutating(operator, context, owned, policy.metadata.name, cached);
    return { state: undefined, requeueAfterMs };
  }
  const desired = render(operator, context, observed, now);
  if (desired instanceof PolicyCompileError)
    return standing(isInstalled(cached), { reason: "RefusedByServer", message: desired.message });
  return apply(operator, context, owned, observed, desired);
}

/** The policy before its binding on the way in, the binding before its policy on the way out. */
export async function removeMutating(
  operator: OperatorContext,
  context: ReconcileContext,
  owned: OwnedObjects,
  policy: string,
  cached: MutatingCached,
): Promise<number | undefined> {
  if (!operator.servesMutatingPolicies) return undefined;
  const name = nativePolicyName(policy);
  try {
    await owned.remove(context.client, MutatingAdmissionPolicyBinding, cached.binding, name);
    await owned.remove(context.client, MutatingAdmissionPolicy, cached.policy, name);
  } catch (error) {
    return operator.obstacles.failed(subjectOf(policy), error, operator.clock.now()).retryAfterMs;
  }
  operator.obstacles.clear(subjectOf(policy));
  return undefined;
}

/** Both halves of a policy as one: in force when both are, and refused when one is. */
export function together(
  validating: NativeState | undefined,
  mutating: NativeState | undefined,
): NativeState | undefined {
  if (validating === undefined || mutating === undefined) return validating ?? mutating;
  return {
    refusal: validating.refusal ?? mutating.refusal,
    isInstalled: validating.isInstalled && mutating.isInstalled,
    typeWarnings: [...validating.typeWarnings, ...mutating.typeWarnings],
  };
}

/** Of a policy that does not compile: what was rendered before stays in force, whichever halves those were. */
export function whatIsLeft(
  validating: NativeState | undefined,
  mutating: MutatingCached,
): NativeState | undefined {
  if (!isInstalled(mutating)) return validating;
  return { refusal: undefined, isInstalled: true, typeWarnings: validating?.typeWarnings ?? [] };
}

function standing(isInstalled: boolean, refusal?: Obstruction): MutatingResult {
  return { state: { refusal, isInstalled, typeWarnings: [] }, requeueAfterMs: undefined };
}

function render(
  operator: OperatorContext,
  context: ReconcileContext,
  { policy, honoured }: PolicyObservation,
  now: number,
): RenderedMutations | PolicyCompileError {
  try {
    return renderMutations(asPolicy(policy), honoured.map(asException), now, {
      namespaceLabels: (name) => namespaceLabels(context, name),
      neverJudged: operator.ownNamespaces,
    });
  } catch (error) {
    if (error instanceof PolicyCompileError) return error;
    throw error;
  }
}

async function apply(
  operator: OperatorContext,
  context: ReconcileContext,
  owned: OwnedObjects,
  observed: PolicyObservation,
  desired: RenderedMutations,
): Promise<MutatingResult> {
  const { policy, mutating: cached } = observed;
  const subject = subjectOf(policy.metadata.name);
  const caSecret = context.get(Secret, { name: CA_SECRET, namespace: operator.namespace });
  const keep = async (
    type: typeof MutatingAdmissionPolicy | typeof MutatingAdmissionPolicyBinding,
    before: KubeObject | undefined,
    object: RenderedMutations["policy" | "binding"],
  ) => {
    const { name } = object.metadata;
    const evidence = {
      departed: operator.departures.of<KubeObject>(type, name),
      wasInForce: wasInForce(policy, "Native", caSecret),
    };
    const now = operator.clock.now();
    const { action } = await owned.ensure(context.client, type, before, sealed(object), now, evidence);
    if (action.kind === "wait")
      return { isThere: before !== undefined || action.on === "cache", waitMs: action.forMs };
    const wasDeleted = before === undefined;
    tellRestoration(operator, context, action, { kind: object.kind, name, wasDeleted, regarding: policy });
    return { isThere: true, waitMs: undefined };
  };
  try {
    const kept = [
      await keep(MutatingAdmissionPolicy, cached.policy, desired.policy),
      await keep(MutatingAdmissionPolicyBinding, cached.binding, desired.binding),
    ];
    operator.obstacles.clear(subject);
    return {
      ...standing(kept.every(({ isThere }) => isThere)),
      requeueAfterMs: sooner(...kept.map(({ waitMs }) => waitMs)),
    };
  } catch (error) {
    const refused = refusalOfPolicy(error);
    if (refused === undefined) throw error;
    const { refusal, retryAfterMs } = operator.obstacles.refused(subject, refused, operator.clock.now());
    return { ...standing(isInstalled(cached), refusal), requeueAfterMs: retryAfterMs };
  }
}

function subjectOf(policy: string): string {
  return `native mutations of ShieldPolicy ${policy}`;
}

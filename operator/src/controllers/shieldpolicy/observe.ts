import {
  type KubeObject,
  type ReconcileContext,
  Secret,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from "@shieldx/controller-runtime";
import {
  CA_SECRET,
  effectiveFailurePolicy,
  FAIL_CONFIGURATION,
  IGNORE_CONFIGURATION,
  LABEL,
} from "@shieldx/crds";
import type { OperatorContext } from "../../context.ts";
import { standingFor } from "../../exception-standing.ts";
import { asPolicy, type ShieldExceptionObject, type ShieldPolicyObject } from "../../kinds.ts";
import { nativePolicyName } from "../../names.ts";
import { namespaceLabels } from "../../namespaces.ts";
import { WEBHOOK_SUBJECTS } from "../../obstacles.ts";
import { memberOf } from "../../policy-world.ts";
import { readBundle } from "../certificates/bundle-entry.ts";
import { isPublished, type PublishedConfiguration } from "../webhook-configuration/decide.ts";
import { webhookPolicyOf } from "../webhook-configuration/observe.ts";
import {
  type CompileProblem,
  type Enforcer,
  enforcerOf,
  validatePolicy,
  type WebhookState,
} from "./decide.ts";

/** Everything the reconciler looks at, read from the caches in one go. */
export interface PolicyObservation {
  readonly policy: ShieldPolicyObject;
  readonly problem: CompileProblem | undefined;
  readonly enforcer: { readonly by: Enforcer; readonly reason: string };
  readonly native: NativeCached;
  readonly webhook: WebhookState;
  readonly honoured: readonly ShieldExceptionObject[];
  readonly exceptions: { readonly active: number; readonly expired: number };
  /** When the next honoured exception ends, ms since the epoch. */
  readonly nextExpiryMs: number | undefined;
}

export interface NativeCached {
  readonly policy: ValidatingAdmissionPolicy | undefined;
  readonly binding: ValidatingAdmissionPolicyBinding | undefined;
}

/** Objects of ours under the policy's name; one of somebody else's that happens to bear it is left alone. */
export function cachedNative(context: ReconcileContext, policy: string): NativeCached {
  const key = { name: nativePolicyName(policy) };
  const ours = <T extends KubeObject>(object: T | undefined): T | undefined =>
    object?.metadata.labels?.[LABEL.managedBy] === undefined ? undefined : object;
  return {
    policy: ours(context.get(ValidatingAdmissionPolicy, key)),
    binding: ours(context.get(ValidatingAdmissionPolicyBinding, key)),
  };
}

export function observePolicy(
  operator: OperatorContext,
  context: ReconcileContext,
  policy: ShieldPolicyObject,
  now: number,
): PolicyObservation {
  const validated = validatePolicy(policy);
  const problem =
    "problem" in validated ? validated.problem : compileProblemOf(operator, policy.metadata.name);
  const exceptions = observeExceptions(operator, context, policy, now);
  return {
    policy,
    problem,
    enforcer: enforcerOf(asPolicy(policy).spec),
    native: cachedNative(context, policy.metadata.name),
    webhook: observeWebhook(operator, context, policy, exceptions.honoured, now),
    ...exceptions,
  };
}

function compileProblemOf(operator: OperatorContext, name: string): CompileProblem | undefined {
  const problem = operator.world
    .current()
    .problems.find((candidate) => candidate.kind === "ShieldPolicy" && candidate.name === name);
  if (problem === undefined) return undefined;
  const { code, path, message } = problem.error;
  return { code, path, message };
}

function observeWebhook(
  operator: OperatorContext,
  context: ReconcileContext,
  policy: ShieldPolicyObject,
  honoured: readonly ShieldExceptionObject[],
  now: number,
): WebhookState {
  const live = operator.world.liveReplicas(now);
  const members = [memberOf(policy), ...honoured.map(memberOf)];
  const name =
    effectiveFailurePolicy(asPolicy(policy).spec) === "Fail" ? FAIL_CONFIGURATION : IGNORE_CONFIGURATION;
  const configuration = context.get(ValidatingWebhookConfiguration, { name });
  const called = webhookPolicyOf(policy.metadata.name, asPolicy(policy).spec, true);
  return {
    replicas: live.length,
    loaded: operator.world.loadedBy(live, members),
    isPublished:
      called !== undefined &&
      isPublished(called, configuration as PublishedConfiguration | undefined, operator.ownNamespaces),
    obstruction: WEBHOOK_SUBJECTS.map((subject) => operator.obstacles.get(subject)).find(
      (refusal) => refusal !== undefined,
    ),
    hasCertificate:
      readBundle(context.get(Secret, { name: CA_SECRET, namespace: operator.namespace })) !== undefined,
  };
}

function observeExceptions(
  operator: OperatorContext,
  context: ReconcileContext,
  policy: ShieldPolicyObject,
  now: number,
): Pick<PolicyObservation, "honoured" | "exceptions" | "nextExpiryMs"> {
  const compiled = operator.world.current().policy(policy.metadata.name);
  const naming = operator.world.exceptionsOf(policy.metadata.name);
  const honoured: ShieldExceptionObject[] = [];
  let expired = 0;
  let nextExpiryMs: number | undefined;
  for (const exception of naming) {
    if (!(now < Date.parse(exception.spec.expiresAt))) {
      expired++;
      continue;
    }
    if (compiled === undefined) continue;
    const labels = namespaceLabels(context, exception.metadata.namespace ?? "default");
    const standing = standingFor(compiled, exception, now, labels);
    if (!standing.honoured) continue;
    honoured.push(exception);
    nextExpiryMs = Math.min(nextExpiryMs ?? Number.POSITIVE_INFINITY, standing.until);
  }
  return { honoured, exceptions: { active: honoured.length, expired }, nextExpiryMs };
}

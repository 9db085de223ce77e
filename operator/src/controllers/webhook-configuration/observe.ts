import type { ValidatingWebhookConfiguration } from "@shieldx/controller-runtime";
import {
  effectiveFailurePolicy,
  FAIL_CONFIGURATION,
  IGNORE_CONFIGURATION,
  type ShieldPolicySpec,
} from "@shieldx/crds";
import type { CompiledPolicy, PolicySetProblem } from "@shieldx/policy-engine";
import type { OperatorContext } from "../../context.ts";
import {
  type FailurePolicy,
  type PublishedConfiguration,
  publishedCalls,
  type WebhookObservation,
  type WebhookPolicy,
} from "./decide.ts";
import type { LabelSelector } from "./rules.ts";

/** What the webhook has to be called for, of one policy; undefined when it does not act on requests there. */
export function webhookPolicyOf(
  name: string,
  spec: ShieldPolicySpec,
  isLoaded: boolean,
): WebhookPolicy | undefined {
  if (spec.engine !== "podSecurity" || spec.actions.admission === "off") return undefined;
  const constraints = spec.matchConstraints;
  return {
    name,
    failurePolicy: effectiveFailurePolicy(spec),
    resourceRules: constraints?.resourceRules,
    namespaceSelector: constraints?.namespaceSelector as LabelSelector | undefined,
    objectSelector: constraints?.objectSelector as LabelSelector | undefined,
    exemptNamespaces: spec.podSecurity?.exemptions?.namespaces ?? [],
    isLoaded,
  };
}

/** The same for a policy of the set in force, which may be an older version of what is in the API server. */
function ofSet(policy: CompiledPolicy, context: OperatorContext, now: number): WebhookPolicy | undefined {
  const { name, uid, generation, source } = policy;
  const replicas = context.world.liveReplicas(now);
  const isLoaded = context.world.loadedBy(replicas, [{ name, uid, generation }]) > 0;
  return webhookPolicyOf(name, source.spec, isLoaded);
}

/**
 * Whether a policy was broken before we started, so that no version of it is known here: replicas that have been running
 * for longer hold one, and what is published for it must not be taken back.
 */
function isUnreadable(
  { kind, name, keepsLastGood }: PolicySetProblem,
  failurePolicy: FailurePolicy,
  context: OperatorContext,
): boolean {
  if (kind !== "ShieldPolicy" || keepsLastGood) return false;
  const spec = context.world.specOf(name);
  return spec?.engine === "podSecurity" && effectiveFailurePolicy(spec) === failurePolicy;
}

/** Reads from the caches what the decision needs. `published` is what this process wrote last. */
export function observeWebhooks(
  context: OperatorContext,
  existing: (name: string) => ValidatingWebhookConfiguration | undefined,
  caBundlePem: string | undefined,
  published: { readonly Fail: ReadonlySet<string>; readonly Ignore: ReadonlySet<string> },
  now: number,
): WebhookObservation {
  const union = (name: string, ours: ReadonlySet<string>) =>
    new Set([...ours, ...publishedCalls(existing(name) as PublishedConfiguration | undefined)]);
  const { policies, problems } = context.world.current();
  const held = (failurePolicy: FailurePolicy, name: string) =>
    problems.some((problem) => isUnreadable(problem, failurePolicy, context))
      ? ((existing(name) as PublishedConfiguration | undefined)?.webhooks ?? [])
      : [];
  return {
    namespace: context.namespace,
    ownNamespaces: context.ownNamespaces,
    address: context.webhookAddress,
    caBundlePem,
    policies: policies.map((policy) => ofSet(policy, context, now)).filter((policy) => policy !== undefined),
    held: { Fail: held("Fail", FAIL_CONFIGURATION), Ignore: held("Ignore", IGNORE_CONFIGURATION) },
    published: {
      Fail: union(FAIL_CONFIGURATION, published.Fail),
      Ignore: union(IGNORE_CONFIGURATION, published.Ignore),
    },
  };
}

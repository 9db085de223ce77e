import type { ValidatingWebhookConfiguration } from "@shieldx/controller-runtime";
import {
  effectiveFailurePolicy,
  FAIL_CONFIGURATION,
  IGNORE_CONFIGURATION,
  type ShieldPolicySpec,
} from "@shieldx/crds";
import type { CompiledPolicy } from "@shieldx/policy-engine";
import type { OperatorContext } from "../../context.ts";
import {
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
  return {
    namespace: context.namespace,
    ownNamespaces: context.ownNamespaces,
    address: context.webhookAddress,
    caBundlePem,
    policies: context.world
      .current()
      .policies.map((policy) => ofSet(policy, context, now))
      .filter((policy) => policy !== undefined),
    published: {
      Fail: union(FAIL_CONFIGURATION, published.Fail),
      Ignore: union(IGNORE_CONFIGURATION, published.Ignore),
    },
  };
}

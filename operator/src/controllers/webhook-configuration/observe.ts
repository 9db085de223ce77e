import { ValidatingWebhookConfiguration } from "@shieldx/controller-runtime";
import {
  effectiveFailurePolicy,
  FAIL_CONFIGURATION,
  IGNORE_CONFIGURATION,
  type ShieldPolicySpec,
} from "@shieldx/crds";
import type { CompiledPolicy } from "@shieldx/policy-engine";
import type { OperatorContext } from "../../context.ts";
import {
  type FailurePolicy,
  type PublishedConfiguration,
  publishedCalls,
  type WebhookObservation,
  type WebhookPolicy,
} from "./decide.ts";
import type { LabelSelector } from "./rules.ts";

const NAME: Readonly<Record<FailurePolicy, string>> = {
  Fail: FAIL_CONFIGURATION,
  Ignore: IGNORE_CONFIGURATION,
};

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

/** Reads from the caches what the decision needs. `written` is what this process wrote last. */
export function observeWebhooks(
  context: OperatorContext,
  existing: (name: string) => PublishedConfiguration | undefined,
  caBundlePem: string | undefined,
  written: Readonly<Record<FailurePolicy, PublishedConfiguration | undefined>>,
  now: number,
): WebhookObservation {
  const published = (failurePolicy: FailurePolicy) =>
    new Set([...publishedCalls(written[failurePolicy]), ...publishedCalls(existing(NAME[failurePolicy]))]);
  const { policies } = context.world.current();
  // Replicas keep in force what we cannot read: which calls it needs is only to be seen in what was published for it.
  const unread = context.world.knownToReplicas(context.world.possibleReplicas(now));
  const lastKnown = (name: string) =>
    existing(name) ?? context.departures.of(ValidatingWebhookConfiguration, name);
  const held = (failurePolicy: FailurePolicy) => {
    if (!unread.some((kept) => kept.failurePolicy === failurePolicy)) return [];
    const from = written[failurePolicy] ?? lastKnown(NAME[failurePolicy]);
    return (from as PublishedConfiguration | undefined)?.webhooks ?? [];
  };
  return {
    namespace: context.namespace,
    ownNamespaces: context.ownNamespaces,
    address: context.webhookAddress,
    caBundlePem,
    policies: policies.map((policy) => ofSet(policy, context, now)).filter((policy) => policy !== undefined),
    held: { Fail: held("Fail"), Ignore: held("Ignore") },
    published: { Fail: published("Fail"), Ignore: published("Ignore") },
  };
}

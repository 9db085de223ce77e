import { ValidatingWebhookConfiguration } from "@shieldx/controller-runtime";
import { FAIL_CONFIGURATION, IGNORE_CONFIGURATION, type WebhookCalls, webhookCallsOf } from "@shieldx/crds";
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

/** A policy that the webhook enforces, from the calls it needs. */
export function webhookPolicyOf(name: string, calls: WebhookCalls, isLoaded: boolean): WebhookPolicy {
  const { failurePolicy, matchConstraints, exemptNamespaces = [] } = calls;
  return {
    name,
    failurePolicy,
    resourceRules: matchConstraints?.resourceRules,
    namespaceSelector: matchConstraints?.namespaceSelector as LabelSelector | undefined,
    objectSelector: matchConstraints?.objectSelector as LabelSelector | undefined,
    exemptNamespaces,
    isLoaded,
  };
}

/** The policies in force: as they compile, and of those that do not what replicas keep. */
function policiesOf({ world }: OperatorContext, now: number): WebhookPolicy[] {
  const live = world.liveReplicas(now);
  const set = world.current();
  const broken = new Set(set.kept.map(({ name }) => name));
  const compiled = set.policies
    .filter(({ name }) => !broken.has(name))
    .map(({ name, uid, generation, source }) => ({
      name,
      calls: webhookCallsOf(source.spec),
      isLoaded: world.loadedBy(live, [{ name, uid, generation }]) > 0,
    }));
  const kept = world
    .keptBy(world.possibleReplicas(now))
    .map(({ name, calls }) => ({ name, calls, isLoaded: true }));
  return [...compiled, ...kept].flatMap(({ name, calls, isLoaded }) =>
    calls === undefined ? [] : [webhookPolicyOf(name, calls, isLoaded)],
  );
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
  const mayKeepMore = context.world.mayKeepMore(context.world.possibleReplicas(now));
  const held = (failurePolicy: FailurePolicy) => {
    if (!mayKeepMore) return [];
    const name = NAME[failurePolicy];
    const departed = context.departures.of(ValidatingWebhookConfiguration, name);
    const from = written[failurePolicy] ?? existing(name) ?? (departed as PublishedConfiguration | undefined);
    return from?.webhooks ?? [];
  };
  return {
    namespace: context.namespace,
    ownNamespaces: context.ownNamespaces,
    address: context.webhookAddress,
    caBundlePem,
    policies: policiesOf(context, now),
    held: { Fail: held("Fail"), Ignore: held("Ignore") },
    published: { Fail: published("Fail"), Ignore: published("Ignore") },
  };
}

import {
  FAIL_CONFIGURATION,
  IGNORE_CONFIGURATION,
  isJudgedByStatus,
  namespaceOfPolicy,
  type WebhookCalls,
  webhookCallsFor,
} from "@shieldx/crds";
import type { OperatorContext } from "../../context.ts";
import type { ReplicaReport } from "../../replicas.ts";
import {
  type FailurePolicy,
  type PublishedConfiguration,
  publishedCalls,
  type WebhookObservation,
  type WebhookPolicy,
} from "./decide.ts";
import type { LabelSelector } from "./rules.ts";
import { isForTenants, publishedForTenants } from "./tenants.ts";

const NAME: Readonly<Record<FailurePolicy, string>> = {
  Fail: FAIL_CONFIGURATION,
  Ignore: IGNORE_CONFIGURATION,
};

/** A policy that the webhook enforces, from the calls it needs. */
export function webhookPolicyOf(name: string, calls: WebhookCalls, isLoaded: boolean): WebhookPolicy {
  const { engine = "podSecurity", failurePolicy, matchConstraints, exemptNamespaces = [] } = calls;
  const tenant = namespaceOfPolicy(name);
  return {
    name,
    ...(tenant === undefined ? {} : { tenant }),
    engine,
    failurePolicy,
    resourceRules: matchConstraints?.resourceRules,
    namespaceSelector: matchConstraints?.namespaceSelector as LabelSelector | undefined,
    objectSelector: matchConstraints?.objectSelector as LabelSelector | undefined,
    exemptNamespaces,
    isLoaded,
  };
}

/** undefined for one that only changes objects. */
function judgingPolicyOf(name: string, calls: WebhookCalls, isLoaded: boolean): WebhookPolicy | undefined {
  return calls.validates === false ? undefined : webhookPolicyOf(name, calls, isLoaded);
}

/** The policies in force: as we compiled them, and of those that no longer compile also as replicas keep them. */
export function policiesOf<P>(
  { world }: OperatorContext,
  possible: readonly ReplicaReport[],
  now: number,
  policyOf: (name: string, calls: WebhookCalls, isLoaded: boolean) => P | undefined,
): P[] {
  const live = world.liveReplicas(now);
  const statuses = world.statuses();
  const compiled = world.current().policies.flatMap(({ name, uid, generation, source }) => {
    const status = statuses.get(name);
    const policy = { ...source, ...(status === undefined ? {} : { status }) };
    const isByStatus = isJudgedByStatus(policy) ? true : undefined;
    const isLoaded = world.loadedBy(live, [{ name, uid, generation, isJudgedByStatus: isByStatus }]) > 0;
    return webhookCallsFor(policy).map((calls) => ({ name, calls, isLoaded }));
  });
  const kept = world.keptBy(possible).map(({ name, calls }) => ({ name, calls, isLoaded: true }));
  return [...compiled, ...kept].flatMap(({ name, calls, isLoaded }) => {
    const policy = calls === undefined ? undefined : policyOf(name, calls, isLoaded);
    return policy === undefined ? [] : [policy];
  });
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
  const forTenants = (failurePolicy: FailurePolicy) =>
    new Set([
      ...publishedForTenants(written[failurePolicy]),
      ...publishedForTenants(existing(NAME[failurePolicy])),
    ]);
  const possible = context.world.possibleReplicas(now);
  const mayKeepMore = {
    cluster: context.world.mayKeepMore(possible),
    tenants: context.world.mayKeepMore(possible, "tenants"),
  };
  const held = (failurePolicy: FailurePolicy) =>
    ((written[failurePolicy] ?? existing(NAME[failurePolicy]))?.webhooks ?? []).filter((entry) =>
      isForTenants(entry) ? mayKeepMore.tenants : mayKeepMore.cluster,
    );
  return {
    namespace: context.namespace,
    ownNamespaces: context.ownNamespaces,
    address: context.webhookAddress,
    caBundlePem,
    policies: policiesOf(context, possible, now, judgingPolicyOf),
    held: { Fail: held("Fail"), Ignore: held("Ignore") },
    published: { Fail: published("Fail"), Ignore: published("Ignore") },
    publishedForTenants: { Fail: forTenants("Fail"), Ignore: forTenants("Ignore") },
  };
}

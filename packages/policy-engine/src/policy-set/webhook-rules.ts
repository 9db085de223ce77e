import { podCarriers } from "../pod-security/workload.ts";
import type { CompiledPodSecurityPolicy } from "./compile.ts";
import { coversOperation, coversResource } from "./resource-rules.ts";
import type { LabelSelectorLike } from "./selector.ts";

/** `rules[]` of a ValidatingWebhookConfiguration entry. */
export interface WebhookRule {
  readonly apiGroups: readonly string[];
  readonly apiVersions: readonly string[];
  readonly resources: readonly string[];
  readonly operations: readonly string[];
  readonly scope: "Namespaced";
}

export interface WebhookMatch {
  /** Empty when no policy needs the webhook. */
  readonly rules: readonly WebhookRule[];
  readonly namespaceSelector: LabelSelectorLike;
}

/**
 * The narrowest registration of one webhook entry that still reaches every one of `policies`: only resources
 * the engine can judge, named one by one, and never a namespace that must keep working.
 *
 * One entry has one namespaceSelector, so the policies' own is used only where they all have the same; the
 * evaluation applies each policy's own selectors again in any case.
 */
export function webhookMatchOf(
  policies: readonly CompiledPodSecurityPolicy[],
  neverJudged: readonly string[],
): WebhookMatch {
  const selectors = new Map(
    policies.map(({ source }) => {
      const selector = source.spec.matchConstraints?.namespaceSelector ?? {};
      return [JSON.stringify(selector), selector as LabelSelectorLike];
    }),
  );
  const [shared = {}] = selectors.size === 1 ? selectors.values() : [];
  return {
    rules: rulesFor(policies),
    namespaceSelector: {
      ...(shared.matchLabels === undefined ? {} : { matchLabels: shared.matchLabels }),
      matchExpressions: [
        ...(shared.matchExpressions ?? []),
        { key: "kubernetes.io/metadata.name", operator: "NotIn", values: [...neverJudged].sort() },
      ],
    },
  };
}

function rulesFor(policies: readonly CompiledPodSecurityPolicy[]): WebhookRule[] {
  const byOperations = new Map<string, { group: string; operations: string[]; resources: string[] }>();
  const resources = [
    ...podCarriers.map(({ group, resource }) => ({ group, resource, subresource: "" })),
    { group: "", resource: "pods", subresource: "ephemeralcontainers" },
  ];
  for (const { group, resource, subresource } of resources) {
    const operations = ["CREATE", "UPDATE"].filter((operation) =>
      policies.some(({ match }) =>
        match.resourceRules.some(
          (rule) => coversResource(rule, group, resource, subresource) && coversOperation(rule, operation),
        ),
      ),
    );
    // Ephemeral containers are only ever added to a Pod that exists.
    const asked = subresource === "" ? operations : operations.filter((operation) => operation === "UPDATE");
    if (asked.length === 0) continue;
    const key = `${group}|${asked.join()}`;
    const rule = byOperations.get(key) ?? { group, operations: asked, resources: [] };
    rule.resources.push(subresource === "" ? resource : `${resource}/${subresource}`);
    byOperations.set(key, rule);
  }
  return [...byOperations.values()].map((rule) => ({
    apiGroups: [rule.group],
    apiVersions: ["v1"],
    resources: rule.resources.sort(),
    operations: rule.operations,
    scope: "Namespaced",
  }));
}

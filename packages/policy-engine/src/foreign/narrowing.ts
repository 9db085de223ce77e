/**
 * Two sets of match constraints that must both hold, as one: what a policy is about, and what its binding narrows that to
 * (apiserver pkg/admission/plugin/policy/matching).
 */
import { isPlain, isTexts, type Plain, stated, textAt } from "./plain.ts";
import type { Source } from "./source.ts";

interface Rule {
  readonly apiGroups: readonly string[];
  readonly apiVersions: readonly string[];
  readonly operations: readonly string[];
  readonly resources: readonly string[];
  readonly scope: string;
  readonly resourceNames: readonly string[];
}

/** @param binding its `spec.matchResources`; what cannot be put together is an error of `source` */
export function narrowed(policy: Plain, binding: Plain | undefined, source: Source): Plain {
  if (binding === undefined) return policy;
  const matchPolicy = matchPolicyOf(policy, binding, source);
  return stated({
    ...policy,
    resourceRules: narrowedRules(policy, binding, source),
    excludeResourceRules: [...listOf(policy.excludeResourceRules), ...listOf(binding.excludeResourceRules)],
    namespaceSelector: bothSelectors(policy.namespaceSelector, binding.namespaceSelector),
    objectSelector: bothSelectors(policy.objectSelector, binding.objectSelector),
    matchPolicy,
  });
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function matchPolicyOf(policy: Plain, binding: Plain, source: Source): string | undefined {
  const ofPolicy = textAt(policy, "matchPolicy");
  const ofBinding = textAt(binding, "matchPolicy");
  const bindingHasRules =
    listOf(binding.resourceRules).length > 0 || listOf(binding.excludeResourceRules).length > 0;
  if (bindingHasRules && (ofPolicy ?? "Equivalent") !== (ofBinding ?? "Equivalent"))
    source.lost(
      "spec.matchResources.matchPolicy",
      `differs from the policy's, and a ShieldPolicy has one for both: ${ofPolicy ?? "Equivalent"} is taken; look whether it does`,
    );
  return ofPolicy;
}

function narrowedRules(policy: Plain, binding: Plain, source: Source): unknown {
  const ofBinding = listOf(binding.resourceRules);
  if (ofBinding.length === 0) return policy.resourceRules;
  const path = "spec.matchResources.resourceRules";
  const policyRules = listOf(policy.resourceRules).map(ruleOf);
  const bindingRules = ofBinding.map(ruleOf);
  if (!policyRules.every(isKnown) || !bindingRules.every(isKnown)) {
    source.error(
      path,
      "has a rule that lacks apiGroups, apiVersions, operations or resources as lists of texts: correct it",
    );
    return undefined;
  }
  const rules = policyRules.flatMap((a) => bindingRules.flatMap((b) => both(a, b) ?? []));
  if (rules.length > 0) return rules;
  source.error(
    path,
    "names no resource that the policy's matchConstraints name in the same group: write in both what is meant",
  );
  return undefined;
}

function isKnown(rule: Rule | undefined): rule is Rule {
  return rule !== undefined;
}

function ruleOf(value: unknown): Rule | undefined {
  if (!isPlain(value)) return undefined;
  const { apiGroups, apiVersions, operations, resources, resourceNames = [] } = value;
  if (![apiGroups, apiVersions, operations, resources, resourceNames].every(isTexts)) return undefined;
  return { ...value, scope: textAt(value, "scope") ?? "*", resourceNames } as unknown as Rule;
}

/** What both rules cover; undefined where there is nothing. */
function both(a: Rule, b: Rule): Plain | undefined {
  const apiGroups = common(a.apiGroups, b.apiGroups);
  // The same resource asked for in another version is covered all the same.
  const versions = common(a.apiVersions, b.apiVersions);
  const apiVersions = versions.length > 0 ? versions : a.apiVersions;
  const operations = common(a.operations, b.operations);
  const resources = commonResources(a.resources, b.resources);
  const [scope] = common([a.scope], [b.scope]);
  const isNamed = a.resourceNames.length > 0 && b.resourceNames.length > 0;
  const resourceNames = isNamed
    ? a.resourceNames.filter((name) => b.resourceNames.includes(name))
    : [...a.resourceNames, ...b.resourceNames];
  const isNothing = [apiGroups, operations, resources].some((list) => list.length === 0);
  if (isNothing || scope === undefined || (isNamed && resourceNames.length === 0)) return undefined;
  return stated({
    apiGroups,
    apiVersions,
    operations,
    resources,
    scope: scope === "*" ? undefined : scope,
    resourceNames,
  });
}

function common(a: readonly string[], b: readonly string[]): readonly string[] {
  if (a.includes("*")) return b.includes("*") ? ["*"] : b;
  return b.includes("*") ? a : a.filter((item) => b.includes(item));
}

/** `pods`, `pods/log`, `pods/*`, `*` (without subresources), `*\/scale`, `*\/*`. */
function commonResources(a: readonly string[], b: readonly string[]): readonly string[] {
  const found = a.flatMap((one) => b.flatMap((other) => commonResource(one, other) ?? []));
  return [...new Set(found)];
}

function commonResource(one: string, other: string): string | undefined {
  const [resource, otherResource] = [one.split("/"), other.split("/")];
  const name = meet(resource[0] ?? "", otherResource[0] ?? "");
  const subresource = meet(resource[1] ?? "", otherResource[1] ?? "");
  if (name === undefined || subresource === undefined) return undefined;
  return subresource === "" ? name : `${name}/${subresource}`;
}

function meet(a: string, b: string): string | undefined {
  if (a === "*") return b;
  return b === "*" || a === b ? a : undefined;
}

/** Both label selectors as one; whatever is malformed stays for the schema to refuse. */
export function bothSelectors(a: unknown, b: unknown): unknown {
  if (!isPlain(a)) return isPlain(b) ? b : (a ?? b);
  if (!isPlain(b)) return b === undefined || b === null ? a : b;
  const labels = new Map(Object.entries(isPlain(a.matchLabels) ? a.matchLabels : {}));
  const expressions = [...listOf(a.matchExpressions), ...listOf(b.matchExpressions)];
  for (const [key, value] of Object.entries(isPlain(b.matchLabels) ? b.matchLabels : {})) {
    if (!labels.has(key)) labels.set(key, value);
    else if (labels.get(key) !== value) expressions.push({ key, operator: "In", values: [value] });
  }
  return stated({
    matchLabels: labels.size === 0 ? undefined : Object.fromEntries(labels),
    matchExpressions: expressions,
  });
}

/**
 * Values that hold when a field of a ShieldPolicy is left out and its default depends on other fields. A stored policy may
 * lack even what its kind requires, if that was loosened for a while: such a one is not in force, and breaks nothing.
 */
import { parseDurationMs } from "../kubernetes/duration.ts";
import { DEFAULT_MAX_EXCEPTION_DURATION } from "./exceptions.ts";
import type { ShieldPolicySpec, ShieldPolicyStatus } from "./schema.ts";

/** `actions.background`: audit for engine podSecurity, off for the others, unless given. */
export function effectiveBackground(spec: Pick<ShieldPolicySpec, "engine" | "actions">): "audit" | "off" {
  return spec.actions?.background ?? (spec.engine === "podSecurity" ? "audit" : "off");
}

/** Whether clients may ask for the policy's rules over HTTP. */
export function isServed(spec: Pick<ShieldPolicySpec, "engine" | "actions">): boolean {
  return spec.engine === "rego" && spec.actions?.http === "serve";
}

/** Whether that is all it does: such a policy is about no requests and objects of the cluster, and judges none. */
export function isOnlyServed(spec: Pick<ShieldPolicySpec, "engine" | "actions">): boolean {
  return isServed(spec) && spec.actions.admission === "off" && effectiveBackground(spec) === "off";
}

/** `failurePolicy`: Fail for deny, Ignore for everything else, unless given. */
export function effectiveFailurePolicy(
  spec: Pick<ShieldPolicySpec, "failurePolicy" | "actions">,
): "Fail" | "Ignore" {
  return spec.failurePolicy ?? (spec.actions?.admission === "deny" ? "Fail" : "Ignore");
}

/** Whether the policy replaces tags of images by digests: one that warns changes nothing. */
export function pinsDigests({
  engine,
  actions,
  verifyImages,
}: Pick<ShieldPolicySpec, "engine" | "actions" | "verifyImages">): boolean {
  return engine === "images" && actions?.admission === "deny" && verifyImages?.pinDigest !== false;
}

/** Whether the policy changes objects. */
export function mutates(
  spec: Pick<ShieldPolicySpec, "mutations" | "engine" | "actions" | "verifyImages">,
): boolean {
  return (spec.mutations ?? []).length > 0 || pinsDigests(spec);
}

/** Whether the policy judges requests, and does not only change them. */
export function validates(
  spec: Pick<ShieldPolicySpec, "mutations" | "validations" | "auditAnnotations" | "engine">,
): boolean {
  const { engine, mutations = [], validations = [], auditAnnotations = [] } = spec;
  if (engine === "images" || mutations.length === 0) return true;
  return validations.length > 0 || auditAnnotations.length > 0;
}

/** Whether requests may be refused under the policy: by what it judges, or where it only changes objects, because it cannot. */
export function mayRefuse(
  spec: Pick<
    ShieldPolicySpec,
    "mutations" | "validations" | "auditAnnotations" | "engine" | "actions" | "failurePolicy"
  >,
): boolean {
  if (spec.actions?.admission !== "deny") return false;
  return validates(spec) || effectiveFailurePolicy(spec) === "Fail";
}

/** `reinvocationPolicy`: IfNeeded unless given. Each mutation comes to the same when applied again, so that this is safe. */
export function effectiveReinvocation(
  spec: Pick<ShieldPolicySpec, "reinvocationPolicy">,
): "Never" | "IfNeeded" {
  return spec.reinvocationPolicy ?? "IfNeeded";
}

/** `status.enforcedBy`: who acts on requests so far. */
export type EnforcedBy = ShieldPolicyStatus["enforcedBy"];

/** Who judges requests, by a policy's status: the webhook already while it is made ready to take over. */
export function judgesSoFar(status: ShieldPolicyStatus | undefined): EnforcedBy {
  return status?.handingOverTo === "Webhook" ? "Webhook" : status?.enforcedBy;
}

/**
 * Whether the webhook judges requests under the policy, where `enforcedBy` is who {@link judgesSoFar}. Where the API server is to take over, the webhook goes on until
 * the policy's status says that it has: no request is to find nobody.
 */
export function isJudgedByWebhook(spec: ShieldPolicySpec, enforcedBy: EnforcedBy): boolean {
  switch (spec.engine) {
    case "podSecurity":
    case "rego":
    case "images":
      return true;
    case "cel":
      return spec.evaluation === "Webhook" || (enforcedBy === "Webhook" && fitsWebhook(spec));
    default:
      return false;
  }
}

/** Whether the webhook can judge requests by a policy of engine cel; only the API server takes wildcards, and any number of calls. */
export function fitsWebhook(spec: ShieldPolicySpec): boolean {
  const rules = spec.matchConstraints?.resourceRules ?? [];
  return (
    webhookCalls(rules) <= MOST_WEBHOOK_CALLS &&
    rules.every(
      (rule) => !hasWildcard(rule) && !rule.apiGroups.some((group) => NATIVE_ONLY_GROUPS.includes(group)),
    )
  );
}

/** So many calls of one policy fit into a webhook configuration beside those of others. */
export const MOST_WEBHOOK_CALLS = 1_000;

/** Combinations of group, version, resource and operation, each of which may become a call of its own. */
export function webhookCalls(
  rules: NonNullable<NonNullable<ShieldPolicySpec["matchConstraints"]>["resourceRules"]>,
): number {
  return rules.reduce(
    (sum, { apiGroups, apiVersions, resources, operations }) =>
      sum + lengthOf(apiGroups) * lengthOf(apiVersions) * lengthOf(resources) * lengthOf(operations),
    0,
  );
}

/** A policy that was kept may be of a version of the kind that did not ask for it. */
function lengthOf(list: readonly unknown[] | undefined): number {
  return list?.length ?? 1;
}

/** Whether a rule reaches groups, resources or subresources that it does not name. */
export function hasWildcard({
  apiGroups,
  resources,
}: {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
}): boolean {
  // As the definition has it: a group has no wildcard but the whole name.
  return apiGroups.includes("*") || resources.some((name) => name.includes("*"));
}

/** Groups that ShieldX is installed and brought back with: these must not wait for its webhook. */
export const NATIVE_ONLY_GROUPS: readonly string[] = [
  "admissionregistration.k8s.io",
  "apiextensions.k8s.io",
  "apiregistration.k8s.io",
  "rbac.authorization.k8s.io",
  "scheduling.k8s.io",
];

/** `exceptions.maxDuration` in milliseconds; 720 h where the policy says nothing. */
export function maxExceptionDurationMs(spec: Pick<ShieldPolicySpec, "exceptions">): number {
  return parseDurationMs(spec.exceptions?.maxDuration ?? DEFAULT_MAX_EXCEPTION_DURATION);
}

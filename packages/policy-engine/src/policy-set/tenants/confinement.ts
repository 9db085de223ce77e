/**
 * What a tenant's policy may be about and look at. Refused is whatever would let it reach beyond its namespace, read what
 * its author may not, or refuse what others restrain the namespace by: a policy that refuses a ResourceQuota loosens.
 */
import {
  MAX_TENANT_INVENTORY_KINDS,
  NAMESPACE_NAME_LABEL,
  NATIVE_ONLY_GROUPS,
  namespaceOfPolicy,
  type ShieldPolicy,
} from "@shieldx/crds";
import { mentions } from "../engines/cel.ts";
import { PolicyCompileError } from "../errors.ts";

type Spec = ShieldPolicy["spec"];

interface NotForTenants {
  readonly group: string;
  /** Left out: all of the group. */
  readonly resources?: readonly string[];
  /** Ends "…, which …". */
  readonly why: string;
}

const restrain = "others restrain the namespace by";
const record = "the cluster and ShieldX keep their records with";

const notForTenants: readonly NotForTenants[] = [
  { group: "", resources: ["secrets"], why: "policies show what they see of in their messages" },
  { group: "", resources: ["limitranges", "resourcequotas"], why: restrain },
  { group: "", resources: ["bindings", "endpoints", "events"], why: record },
  ...["coordination.k8s.io", "discovery.k8s.io", "events.k8s.io"].map((group) => ({ group, why: record })),
  ...["openreports.io", "reports.kyverno.io", "wgpolicyk8s.io"].map((group) => ({ group, why: record })),
  { group: "networking.k8s.io", resources: ["networkpolicies"], why: restrain },
  ...[
    "cilium.io",
    "crd.antrea.io",
    "crd.projectcalico.org",
    "projectcalico.org",
    "kyverno.io",
    "policies.kyverno.io",
    "policy.networking.k8s.io",
    "shieldx.io",
  ].map((group) => ({ group, why: restrain })),
  ...NATIVE_ONLY_GROUPS.map((group) => ({ group, why: "the cluster is brought back with" })),
];

/** Subresources that people and their controllers use; the others are the cluster's own. */
const subresources: ReadonlySet<string> = new Set([
  "pods/attach",
  "pods/ephemeralcontainers",
  "pods/exec",
  "pods/portforward",
  "pods/proxy",
  "pods/resize",
  "services/proxy",
]);

/** Calls of the webhook for one policy. */
const mostCalls = 128;

/**
 * Does nothing for a policy that keeps to its namespace, and for one of the cluster.
 *
 * @throws PolicyCompileError saying which field reaches too far and what to do
 */
export function checkConfined({ metadata, spec }: ShieldPolicy): void {
  const namespace = namespaceOfPolicy(metadata.name);
  if (namespace === undefined) return;
  checkStays(spec, namespace);
  checkRules(spec);
  checkLooksAt(spec);
}

const RULES = "spec.matchConstraints.resourceRules";

/** What is made of a NamespacedShieldPolicy says so; who hands in anything else is not to be believed. */
function checkStays({ matchConstraints, paramRef, evaluation, rego }: Spec, namespace: string): void {
  const { matchLabels = {}, matchExpressions } = matchConstraints?.namespaceSelector ?? {};
  const isOwn =
    matchExpressions === undefined &&
    Object.keys(matchLabels).length === 1 &&
    Object.hasOwn(matchLabels, NAMESPACE_NAME_LABEL) &&
    matchLabels[NAMESPACE_NAME_LABEL] === namespace;
  const isNamespaced = (matchConstraints?.resourceRules ?? []).every(({ scope }) => scope === "Namespaced");
  const isParamOwn =
    paramRef === undefined || (paramRef.namespace === namespace && paramRef.name !== undefined);
  const callsNobody = rego?.bundle === undefined && rego?.allowedHosts === undefined;
  if (isOwn && isNamespaced && isParamOwn && callsNobody && evaluation === "Webhook") return;
  throw new PolicyCompileError("Invalid", "spec", `reaches beyond namespace "${namespace}"`);
}

function checkRules({ matchConstraints }: Spec): void {
  const { resourceRules = [] } = matchConstraints ?? {};
  let calls = 0;
  for (const { apiGroups, apiVersions, operations, resources } of resourceRules) {
    calls += apiGroups.length * apiVersions.length * operations.length * resources.length;
    for (const group of apiGroups) for (const resource of resources) checkResource(group, resource);
  }
  if (calls > mostCalls)
    throw new PolicyCompileError(
      "Invalid",
      RULES,
      `come to ${calls} combinations of group, version, resource and operation; at most ${mostCalls} in a NamespacedShieldPolicy: use fewer`,
    );
}

function checkResource(group: string, resource: string): void {
  if (group.includes("*") || resource.includes("*"))
    throw new PolicyCompileError(
      "Invalid",
      RULES,
      "a NamespacedShieldPolicy takes no * in apiGroups and resources: name them",
    );
  const [base = "", subresource] = resource.split("/");
  const found = notForTenants.find(
    (each) => each.group === group && (each.resources === undefined || each.resources.includes(base)),
  );
  if (found !== undefined) {
    const named = group === "" ? base : `${base}.${group}`;
    const message = `a NamespacedShieldPolicy cannot be about ${named}, which ${found.why}: leave them out, or ask the platform team for a ShieldPolicy`;
    throw new PolicyCompileError("Invalid", RULES, message);
  }
  if (subresource === undefined || subresource === "scale" || subresources.has(resource)) return;
  const known = [...subresources, "*/scale"].join(", ");
  const message = `a NamespacedShieldPolicy cannot be about ${resource}, which the cluster works by: leave it out; of subresources, ${known} can be named`;
  throw new PolicyCompileError("Invalid", RULES, message);
}

function checkLooksAt(spec: Spec): void {
  const { paramKind, rego } = spec;
  if (paramKind?.kind === "Secret")
    throw new PolicyCompileError(
      "Invalid",
      "spec.paramKind",
      "Secrets are no parameters of a NamespacedShieldPolicy, which shows what it sees in its messages: use a ConfigMap",
    );
  const { inventory = [] } = rego ?? {};
  if (inventory.some(({ kind }) => kind === "Secret"))
    throw new PolicyCompileError(
      "Invalid",
      "spec.rego.inventory",
      "a NamespacedShieldPolicy looks at no Secrets, for it shows what it sees in its messages: take the kind out",
    );
  if (inventory.length > MAX_TENANT_INVENTORY_KINDS)
    throw new PolicyCompileError(
      "Invalid",
      "spec.rego.inventory",
      `has more than ${MAX_TENANT_INVENTORY_KINDS} kinds: take some out`,
    );
  const { rego: _module, ...expressions } = spec;
  if (mentions(expressions, /\bauthorizer\b/))
    throw new PolicyCompileError(
      "Invalid",
      "spec",
      "a NamespacedShieldPolicy cannot ask the authorizer, which knows what people may do in other namespaces: decide by request.userInfo",
    );
}

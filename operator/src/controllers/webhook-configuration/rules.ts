import { createHash } from "node:crypto";
import { isLeftAlone } from "@shieldx/policy-engine";

/** Label selector as Kubernetes writes it. */
export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

/** `rules[]` of a webhook entry. */
export interface Rule {
  readonly apiGroups: readonly string[];
  readonly apiVersions: readonly string[];
  readonly resources: readonly string[];
  readonly operations: readonly string[];
  readonly scope?: string;
}

/** Of every probe entry: it is called for nothing else. */
export const PROBE_RULE: Rule = {
  apiGroups: [""],
  apiVersions: ["v1"],
  operations: ["CREATE"],
  resources: ["configmaps"],
  scope: "Namespaced",
};

/** What a policy may ask for; absent operations mean CREATE and UPDATE. */
export interface RequestedRule {
  readonly scope?: string;
  readonly apiGroups?: readonly string[];
  readonly apiVersions?: readonly string[];
  readonly resources?: readonly string[];
  readonly operations?: readonly string[];
}

/** One resource and operation that calls the webhook. The unit in which rules are compared. */
export interface Call {
  readonly apiGroup: string;
  readonly apiVersion: string;
  readonly resource: string;
  readonly operation: string;
  /** `Namespaced`, `Cluster` or `*`, as in a rule. */
  readonly scope: string;
  /**
   * The versions its policy names for the resource, in one fixed order. An object comes in the version that was asked for
   * if an entry names that, else converted: entries of different forms are kept apart, or a policy about one version
   * would change what one about another gets to see.
   */
  readonly form: string;
}

const WORKLOADS: readonly Pick<Call, "apiGroup" | "apiVersion" | "resource">[] = [
  { apiGroup: "", apiVersion: "v1", resource: "pods" },
  { apiGroup: "", apiVersion: "v1", resource: "pods/ephemeralcontainers" },
  { apiGroup: "", apiVersion: "v1", resource: "podtemplates" },
  { apiGroup: "", apiVersion: "v1", resource: "replicationcontrollers" },
  { apiGroup: "apps", apiVersion: "v1", resource: "daemonsets" },
  { apiGroup: "apps", apiVersion: "v1", resource: "deployments" },
  { apiGroup: "apps", apiVersion: "v1", resource: "replicasets" },
  { apiGroup: "apps", apiVersion: "v1", resource: "statefulsets" },
  { apiGroup: "batch", apiVersion: "v1", resource: "cronjobs" },
  { apiGroup: "batch", apiVersion: "v1", resource: "jobs" },
];
const NAMESPACE_NAME = "kubernetes.io/metadata.name";
const OPERATIONS = ["CREATE", "UPDATE"] as const;

/**
 * Calls a policy of engine podSecurity or images needs. Wildcards and kinds without a Pod template are narrowed to what the engine can
 * judge, so that a configuration never holds `*` and never reaches Leases, Nodes or anything else by accident.
 */
export function podSecurityCalls(requested: readonly RequestedRule[] | undefined): Call[] {
  const calls: Call[] = [];
  for (const workload of WORKLOADS) {
    for (const operation of OPERATIONS) {
      if (workload.resource === "pods/ephemeralcontainers" && operation === "CREATE") continue;
      const call = { ...workload, operation, scope: "Namespaced", form: "v1" };
      if (
        requested === undefined ||
        requested.length === 0 ||
        requested.some((rule) => asksFor(rule, call))
      ) {
        calls.push(call);
      }
    }
  }
  return calls;
}

function asksFor(rule: RequestedRule, call: Call): boolean {
  const [base = "", sub] = call.resource.split("/");
  const wantsResource = (rule.resources ?? ["*"]).some(
    (wanted) =>
      wanted === call.resource ||
      wanted === "*/*" ||
      (wanted === "*" && sub === undefined) ||
      wanted === `${base}/*` ||
      (sub !== undefined && wanted === `*/${sub}`),
  );
  return (
    wantsResource &&
    includes(rule.apiGroups, call.apiGroup) &&
    // matchPolicy Equivalent reaches every served version through the one named here.
    (rule.apiVersions ?? ["*"]).length > 0 &&
    includes(rule.operations, call.operation)
  );
}

function includes(list: readonly string[] | undefined, value: string): boolean {
  return list === undefined || list.includes("*") || list.includes(value);
}

export function callKey(call: Call): string {
  return `${call.apiGroup}/${call.apiVersion}/${call.resource}/${call.operation}/${call.scope}`;
}

const ALL_OPERATIONS = ["CREATE", "UPDATE", "DELETE", "CONNECT"];

/** Calls a policy of an engine for all kinds needs: what its rules name, but for what must always work. */
export function namedCalls(requested: readonly RequestedRule[] | undefined): Call[] {
  const calls = (requested ?? []).flatMap((rule) => {
    const { operations = OPERATIONS, scope = "*" } = rule;
    const wanted = operations.includes("*") ? ALL_OPERATIONS : [...operations];
    return callsOf([
      {
        apiGroups: rule.apiGroups ?? [],
        apiVersions: rule.apiVersions ?? [],
        resources: rule.resources ?? [],
        operations: wanted,
        scope,
      },
    ]);
  });
  return calls.filter(mayBeMade);
}

/** Calls that a policy needs, by what its engine is about. */
export function callsFor({
  engine,
  resourceRules,
}: {
  readonly engine: "podSecurity" | "cel" | "rego" | "images";
  readonly resourceRules: readonly RequestedRule[] | undefined;
}): Call[] {
  const isAboutPods = engine === "podSecurity" || engine === "images";
  return isAboutPods ? podSecurityCalls(resourceRules) : namedCalls(resourceRules);
}

/** Never a wildcard that could reach anything, and never what the cluster is brought back with. */
export function mayBeMade({ apiGroup, resource, operation }: Call): boolean {
  const [base = "", subresource = ""] = resource.split("/");
  return !`${apiGroup}/${resource}`.includes("*") && !isLeftAlone(apiGroup, base, subresource, operation);
}

/** The shortest rules that say exactly these calls, in one fixed order. */
export function rulesOf(calls: readonly Call[]): Rule[] {
  const operationsOf = new Map<string, { call: Call; operations: Set<string> }>();
  for (const call of calls) {
    const key = `${call.apiGroup}/${call.apiVersion}/${call.resource}/${call.scope}`;
    const entry = operationsOf.get(key) ?? { call, operations: new Set() };
    entry.operations.add(call.operation);
    operationsOf.set(key, entry);
  }
  const rules = new Map<string, { call: Call; operations: string[]; resources: string[] }>();
  for (const { call, operations } of operationsOf.values()) {
    const sorted = [...operations].sort();
    const key = `${call.apiGroup}/${call.apiVersion}/${sorted.join(",")}/${call.scope}`;
    const rule = rules.get(key) ?? { call, operations: sorted, resources: [] };
    rule.resources.push(call.resource);
    rules.set(key, rule);
  }
  return [...rules.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { call, operations, resources }]) => ({
      apiGroups: [call.apiGroup],
      apiVersions: [call.apiVersion],
      operations,
      resources: resources.sort(),
      scope: call.scope,
    }));
}

/** The calls an existing entry makes; wildcards stay as they are written and so match nothing of ours. */
export function callsOf(rules: readonly Rule[]): Call[] {
  return rules.flatMap((rule) =>
    rule.apiGroups.flatMap((apiGroup) =>
      rule.apiVersions.flatMap((apiVersion) =>
        rule.resources.flatMap((resource) =>
          rule.operations.map((operation) => ({
            apiGroup,
            apiVersion,
            resource,
            operation,
            scope: rule.scope ?? "*",
            form: [...rule.apiVersions].sort().join(),
          })),
        ),
      ),
    ),
  );
}

/** The policy's selector, narrowed by namespaces that are never judged. */
export function excludeNamespaces(
  selector: LabelSelector | undefined,
  namespaces: readonly string[],
): LabelSelector {
  const expressions = [...(selector?.matchExpressions ?? [])].map((expression) => ({
    key: expression.key,
    operator: expression.operator,
    ...(expression.values === undefined ? {} : { values: [...expression.values] }),
  }));
  if (namespaces.length > 0) {
    expressions.push({
      key: NAMESPACE_NAME,
      operator: "NotIn",
      values: [...new Set(namespaces)].sort(),
    });
  }
  const labels = Object.entries(selector?.matchLabels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    ...(labels.length === 0 ? {} : { matchLabels: Object.fromEntries(labels) }),
    ...(expressions.length === 0 ? {} : { matchExpressions: expressions }),
  };
}

/** Whether the selector leaves out all of these namespaces by name, as {@link excludeNamespaces} writes it. */
export function excludes(selector: LabelSelector, namespaces: readonly string[]): boolean {
  const left = (selector.matchExpressions ?? [])
    .filter(({ key, operator }) => key === NAMESPACE_NAME && operator === "NotIn")
    .flatMap(({ values = [] }) => values);
  return namespaces.every((namespace) => left.includes(namespace));
}

/** One fixed text for equal selectors, whatever order their keys came in. */
export function selectorKey(namespaceSelector: LabelSelector, objectSelector: LabelSelector): string {
  return JSON.stringify([canonical(namespaceSelector), canonical(objectSelector)]);
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, below]) => below !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, below]) => [key, canonical(below)]),
  );
}

export function shortHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 10);
}

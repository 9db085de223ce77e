import { coversOperation, coversResource, type ResourceRuleLike } from "./resource-rules.ts";

/** What must work whatever a policy says, so that the cluster and ShieldX can always be brought back. */
export const alwaysLeftAlone: readonly {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly operations: readonly ResourceRuleOperation[];
  readonly why: string;
}[] = [
  { apiGroups: ["coordination.k8s.io"], resources: ["leases"], operations: ["*"], why: "leader election" },
  { apiGroups: [""], resources: ["nodes", "nodes/status"], operations: ["*"], why: "kubelets" },
  { apiGroups: [""], resources: ["namespaces"], operations: ["DELETE"], why: "namespace deletion" },
  {
    apiGroups: [""],
    resources: ["namespaces/finalize", "namespaces/status"],
    operations: ["*"],
    why: "namespace deletion",
  },
  {
    apiGroups: ["authentication.k8s.io", "authorization.k8s.io"],
    resources: ["*/*"],
    operations: ["*"],
    why: "every component asks who may do what, ShieldX at its start",
  },
  { apiGroups: ["shieldx.io"], resources: ["*/*"], operations: ["*"], why: "ShieldX's own resources" },
];

type ResourceRuleOperation = "CREATE" | "UPDATE" | "DELETE" | "CONNECT" | "*";

const rules: readonly ResourceRuleLike[] = alwaysLeftAlone.map(({ apiGroups, resources, operations }) => ({
  apiGroups,
  resources,
  operations,
  apiVersions: ["*"],
}));

/** Whether requests of this sort are never judged. `operation` undefined: whether none of them is. */
export function isLeftAlone(
  group: string,
  resource: string,
  subresource: string,
  operation: string | undefined,
): boolean {
  return rules.some(
    (rule) =>
      coversResource(rule, group, resource, subresource) &&
      (operation === undefined ? rule.operations.includes("*") : coversOperation(rule, operation)),
  );
}

/** Who empties a namespace that is being deleted, with and without service accounts of their own for controllers. */
export const namespaceCleaners: readonly string[] = [
  "system:serviceaccount:kube-system:namespace-controller",
  "system:kube-controller-manager",
];

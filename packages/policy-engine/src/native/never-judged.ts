import type { MatchConstraints, ResourceRule } from "@shieldx/crds";
import { neverJudgedNamespaces } from "../policy-set/request.ts";
import { coversOperation, coversResource } from "../policy-set/resource-rules.ts";
import type { LabelSelectorLike } from "../policy-set/selector.ts";

/** What must work whatever a policy says, so that the cluster and ShieldX can always be brought back. */
const alwaysLeftAlone: readonly (Pick<ResourceRule, "apiGroups" | "operations" | "resources"> & {
  readonly why: string;
})[] = [
  { apiGroups: ["coordination.k8s.io"], resources: ["leases"], operations: ["*"], why: "leader election" },
  { apiGroups: [""], resources: ["nodes", "nodes/status"], operations: ["*"], why: "kubelets" },
  { apiGroups: [""], resources: ["namespaces"], operations: ["DELETE"], why: "namespace deletion" },
  {
    apiGroups: [""],
    resources: ["namespaces/finalize", "namespaces/status"],
    operations: ["*"],
    why: "namespace deletion",
  },
  { apiGroups: ["shieldx.io"], resources: ["*/*"], operations: ["*"], why: "ShieldX's own resources" },
];

/** `excludeResourceRules` with those of the above that the policy's own rules would otherwise reach. */
export function withLeftAlone(constraints: MatchConstraints): ResourceRule[] {
  const rules = constraints.resourceRules ?? [];
  const needed = alwaysLeftAlone
    .filter((left) => rules.some((rule) => overlaps(rule, left)))
    .map(({ apiGroups, resources, operations }): ResourceRule => {
      return { apiGroups, apiVersions: ["*"], operations, resources, scope: "*" };
    });
  return [...(constraints.excludeResourceRules ?? []), ...needed];
}

/** The selector, narrowed by the namespaces no policy reaches. */
export function withoutNeverJudged(
  selector: LabelSelectorLike | undefined,
  more: readonly string[] = [],
): LabelSelectorLike {
  return {
    ...(selector?.matchLabels === undefined ? {} : { matchLabels: selector.matchLabels }),
    matchExpressions: [
      ...(selector?.matchExpressions ?? []),
      {
        key: "kubernetes.io/metadata.name",
        operator: "NotIn",
        values: [...new Set([...neverJudgedNamespaces, ...more])].sort(),
      },
    ],
  };
}

function overlaps(rule: ResourceRule, left: (typeof alwaysLeftAlone)[number]): boolean {
  const sharesGroup = left.apiGroups.some(
    (group) => rule.apiGroups.includes("*") || rule.apiGroups.includes(group),
  );
  const sharesOperation =
    left.operations.includes("*") || left.operations.some((operation) => coversOperation(rule, operation));
  return (
    sharesGroup &&
    sharesOperation &&
    (left.resources.includes("*/*") || left.resources.some(reached(rule, left)))
  );
}

function reached(rule: ResourceRule, left: (typeof alwaysLeftAlone)[number]): (resource: string) => boolean {
  return (resource) => {
    const [base = "", subresource = ""] = resource.split("/");
    return left.apiGroups.some((group) => coversResource(rule, group, base, subresource));
  };
}

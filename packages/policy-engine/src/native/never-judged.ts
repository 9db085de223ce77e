import type { MatchConstraints, ResourceRule } from "@shieldx/crds";
import { alwaysLeftAlone } from "../policy-set/left-alone.ts";
import { neverJudgedNamespaces } from "../policy-set/request.ts";
import { coversOperation, coversResource } from "../policy-set/resource-rules.ts";
import type { LabelSelectorLike } from "../policy-set/selector.ts";

/** `excludeResourceRules` with those always left alone that the policy's own rules would otherwise reach. */
export function withLeftAlone(constraints: MatchConstraints): ResourceRule[] {
  const rules = constraints.resourceRules ?? [];
  const needed = alwaysLeftAlone
    .filter((left) => rules.some((rule) => overlaps(rule, left)))
    .map(({ apiGroups, resources, operations }): ResourceRule => {
      return {
        apiGroups: [...apiGroups],
        apiVersions: ["*"],
        operations: [...operations],
        resources: [...resources],
        scope: "*",
      };
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

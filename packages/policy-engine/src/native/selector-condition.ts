import type { LabelRequirement, LabelSelectorLike } from "../policy-set/selector.ts";
import { celAll, celList, celString } from "./cel-text.ts";

/**
 * A label selector as a CEL condition on `object` (an expression that gives a Kubernetes object).
 * The selector must be one that `compileSelector` accepts.
 */
export function selectorCondition(selector: LabelSelectorLike | undefined, object: string): string {
  const labels = `${object}.metadata.labels`;
  const conditions = [
    ...Object.entries(selector?.matchLabels ?? {}).map(([key, value]) =>
      requirementCondition({ key, operator: "In", values: [value] }, labels),
    ),
    ...(selector?.matchExpressions ?? []).map((requirement) => requirementCondition(requirement, labels)),
  ];
  return celAll(conditions);
}

function requirementCondition({ key, operator, values = [] }: LabelRequirement, labels: string): string {
  const isThere = `has(${labels}) && ${celString(key)} in ${labels}`;
  const isListed = `${isThere} && ${labels}[${celString(key)}] in ${celList(values)}`;
  switch (operator) {
    case "In":
      return isListed;
    case "NotIn":
      return `!(${isListed})`;
    case "Exists":
      return isThere;
    default:
      return `!(${isThere})`;
  }
}

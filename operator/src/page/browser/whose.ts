import type { Listed, PageData, PolicyRow } from "../shape.ts";

/** With the words for people. */
export const CHOICES = [
  ["all", "the cluster's and tenants'"],
  ["cluster", "the cluster's"],
  ["tenants", "tenants'"],
] as const;
export type Whose = (typeof CHOICES)[number][0];

/** Of the policies, those that are chosen, and how many there are of them in all. */
export function policiesOf({ rows, total, tenants }: PageData["policies"], whose: Whose): Listed<PolicyRow> {
  switch (whose) {
    case "all":
      return { rows, total };
    case "cluster":
      return { rows: rows.filter(({ namespace }) => namespace === undefined), total: total - tenants.total };
    case "tenants":
      return { rows: rows.filter(({ namespace }) => namespace !== undefined), total: tenants.total };
    default:
      return whose satisfies never;
  }
}

import type { Listed, PageData, PolicyRow } from "../shape.ts";
import { element } from "./dom.ts";

const CHOICES = [
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

/** The choice between the cluster's policies and tenants'. */
export class WhoseChoice {
  readonly element: HTMLElement;
  readonly #select = element("select", { id: "whose-policies" });

  /** @param changed somebody has chosen */
  constructor(changed: () => void) {
    this.#select.append(
      ...CHOICES.map(([value, label]) => {
        const option = element("option", { value });
        option.text = label;
        return option;
      }),
    );
    this.#select.addEventListener("change", changed);
    const label = element("label", { for: "whose-policies" }, "Whose policies");
    this.element = element("div", { class: "tools" }, label, this.#select);
  }

  get whose(): Whose {
    return CHOICES.find(([value]) => value === this.#select.value)?.[0] ?? "all";
  }
}

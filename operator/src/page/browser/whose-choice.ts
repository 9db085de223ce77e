import { element } from "./dom.ts";
import { CHOICES, type Whose } from "./whose.ts";

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

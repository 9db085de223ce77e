import type { ExceptionRow, NamespaceRow, OwnerRow, PageData, PolicyRow } from "../shape.ts";
import { byId, element } from "./dom.ts";
import { count } from "./format.ts";
import { HistoryChart } from "./history.ts";
import { exceptionColumns, namespaceColumns, ownerColumns, policyColumns } from "./lists.ts";
import { Rollouts } from "./rollouts.ts";
import { DataTable } from "./table.ts";
import { policiesOf } from "./whose.ts";
import { WhoseChoice } from "./whose-choice.ts";

/** Everything that shows data. Made anew for every token, so that nothing of one is left for the next. */
export class View {
  #nowMs = Date.now();
  readonly #overview = element("dl", { class: "figures" });
  readonly #history = new HistoryChart();
  readonly #noFindings = element(
    "p",
    { class: "note" },
    "The background audit has not been through yet: what it finds comes by itself.",
  );
  readonly #whose = new WhoseChoice(() => this.#showPolicies());
  readonly #policies = new DataTable<PolicyRow>(
    "policies",
    "Policies, those with the most violating objects first",
    policyColumns,
  );
  readonly #namespaces = new DataTable<NamespaceRow>(
    "namespaces",
    "Namespaces with objects that break a policy",
    namespaceColumns,
  );
  readonly #owners = new DataTable<OwnerRow>(
    "owners",
    "What to mend: the topmost owner of what breaks a policy",
    ownerColumns,
  );
  readonly #rollouts = new Rollouts();
  readonly #exceptions = new DataTable<ExceptionRow>(
    "exceptions",
    "ShieldExceptions, the next to end first",
    exceptionColumns(() => this.#nowMs),
  );
  #last: PageData | undefined;
  #shownAtMs = 0;

  constructor() {
    const parts = {
      overview: [this.#overview],
      history: [this.#noFindings, this.#history.element],
      policies: [this.#whose.element, this.#policies.element],
      namespaces: [this.#namespaces.element],
      owners: [this.#owners.element],
      rollouts: [this.#rollouts.element],
      exceptions: [this.#exceptions.element],
    };
    for (const [id, elements] of Object.entries(parts)) byId(`${id}-content`).replaceChildren(...elements);
  }

  show(data: PageData, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#last = data;
    this.#shownAtMs = nowMs;
    const { findings, rollouts, exceptions } = data;
    this.#showFigures(data);
    this.#noFindings.hidden = findings !== undefined;
    this.#history.element.hidden = findings === undefined;
    if (findings !== undefined) this.#history.update(findings, nowMs);
    this.#showPolicies();
    this.#namespaces.update(findings?.namespaces.rows ?? [], findings?.namespaces.total ?? 0);
    this.#owners.update(findings?.owners.rows ?? [], findings?.owners.total ?? 0);
    this.#rollouts.update(rollouts.rows, rollouts.total, nowMs);
    this.#exceptions.update(exceptions.rows, exceptions.total);
  }

  #showPolicies(): void {
    if (this.#last === undefined) return;
    const { rows, total } = policiesOf(this.#last.policies, this.#whose.whose);
    this.#policies.update(rows, total);
  }

  /** Nothing changed but the time, which is told to the minute: who reads or selects is not disturbed more often. */
  tick(nowMs: number): void {
    if (this.#last !== undefined && nowMs - this.#shownAtMs >= 60_000) this.show(this.#last, nowMs);
  }

  #showFigures({ policies, findings, rollouts, exceptions }: PageData): void {
    const { total, inForce, tenants } = policies;
    const ofTenants = [
      "policies",
      "Of these, tenants'",
      `${count(tenants.inForce)} of ${count(tenants.total)}`,
    ] as const;
    const figures: readonly (readonly [string, string, string])[] = [
      ["policies", "Policies in force", `${count(inForce)} of ${count(total)}`],
      ...(tenants.total === 0 ? [] : [ofTenants]),
      ["history", "Violating objects", findings === undefined ? "not known yet" : count(findings.objects)],
      ["rollouts", "Rollouts under way", count(rollouts.total)],
      ["exceptions", "Exceptions", count(exceptions.active)],
      ["exceptions", "Exceptions that end soon", count(exceptions.endingSoon)],
    ];
    const shown = figures.flatMap(([, name, value]) => [name, value]).join("\n");
    if (this.#overview.dataset.shown === shown) return;
    this.#overview.dataset.shown = shown;
    this.#overview.replaceChildren(
      ...figures.map(([, name, value]) =>
        element("div", {}, element("dt", {}, name), element("dd", {}, value)),
      ),
    );
  }
}

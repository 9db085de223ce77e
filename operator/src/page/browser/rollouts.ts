import type { RolloutRow } from "../shape.ts";
import { element } from "./dom.ts";
import { count, distance, many, moment, objectName } from "./format.ts";

/** Versions of policies that go in by stages: where they stand, what they change, what they found. */
export class Rollouts {
  readonly element = element("div", { class: "rollouts" });
  readonly #note = element("p", { class: "note" });
  /** By policy, with the text of what it shows: what has not changed stays as it is, open or focused. */
  readonly #shown = new Map<string, { readonly text: string; readonly article: HTMLElement }>();

  constructor() {
    this.element.append(this.#note);
  }

  update(rows: readonly RolloutRow[], total: number, nowMs: number): void {
    this.#note.textContent =
      total === 0
        ? "No version of a policy is on its way in."
        : `${many(total, "version")} not in force as written.${total > rows.length ? ` The ${count(rows.length)} latest are shown.` : ""}`;
    const wanted = new Set(rows.map(({ policy }) => policy));
    for (const [policy, { article }] of this.#shown) {
      if (wanted.has(policy)) continue;
      article.remove();
      this.#shown.delete(policy);
    }
    let before: Element = this.#note;
    for (const row of rows) {
      const article = this.#keep(row, nowMs);
      if (before.nextElementSibling !== article) before.after(article);
      before = article;
    }
  }

  #keep(row: RolloutRow, nowMs: number): HTMLElement {
    const text = JSON.stringify([row, distance(row.since, nowMs)]);
    const known = this.#shown.get(row.policy);
    if (known?.text === text) return known.article;
    const article = articleOf(row, nowMs);
    if (known !== undefined) {
      const opened = [...known.article.querySelectorAll("details")].map(({ open }) => open);
      const focused = [...known.article.querySelectorAll("summary")].indexOf(
        document.activeElement as HTMLElement,
      );
      article.querySelectorAll("details").forEach((details, index) => {
        details.open = opened[index] ?? details.open;
      });
      known.article.replaceWith(article);
      article.querySelectorAll("summary")[focused]?.focus();
    }
    this.#shown.set(row.policy, { text, article });
    return article;
  }
}

function articleOf(row: RolloutRow, nowMs: number): HTMLElement {
  const { policy, step, percent, since, until, isPaused, message, counts, changes, found } = row;
  const state = [
    `Step ${step}: acts in ${percent} % of the namespaces`,
    `since ${moment(since)} (${distance(since, nowMs)})`,
    ...(until === undefined ? [] : [`the next step is due ${moment(until)}`]),
    ...(isPaused ? ["paused"] : []),
  ];
  return element(
    "article",
    { "aria-label": `Rollout of ${policy}` },
    element("h3", {}, policy),
    element("p", {}, `${state.join(", ")}.`),
    ...(message === ""
      ? []
      : [element("p", { class: row.stage === "RolledBack" ? "alert" : "note" }, message)]),
    ...(counts === undefined
      ? []
      : [
          element(
            "p",
            {},
            `In this step ${many(counts.requests, "request")} judged, ${count(counts.denied)} refused or would be, ${many(counts.errors, "error")}.`,
          ),
        ]),
    ...(changes === undefined
      ? [element("p", { class: "note" }, "Nothing was in force before it.")]
      : [
          details(
            `${many(changes.total, "change")} from the version in force`,
            changes.total - changes.rows.length,
            changes.rows.map(({ path, before, after }) =>
              element(
                "li",
                {},
                element("code", {}, path),
                ...(before === undefined ? [] : [element("del", {}, before)]),
                ...(after === undefined ? [] : [element("ins", {}, after)]),
              ),
            ),
          ),
        ]),
    details(
      `${many(found.total, "object")} that it refused or would refuse`,
      found.total - found.rows.length,
      found.rows.map((object) =>
        element("li", {}, element("strong", {}, objectName(object)), `: ${object.message}`),
      ),
    ),
    ...whereFound(row),
  );
}

function whereFound({ foundIn }: RolloutRow): HTMLElement[] {
  if (foundIn.rows.length === 0) return [];
  const places = foundIn.rows.map(
    ({ namespace, requests }) => `${namespace === "" ? "in no namespace" : namespace} ${count(requests)}`,
  );
  if (foundIn.elsewhere > 0) places.push(`elsewhere ${count(foundIn.elsewhere)}`);
  return [element("p", {}, `Such requests by namespace: ${places.join(", ")}.`)];
}

function details(title: string, left: number, items: readonly HTMLLIElement[]): HTMLDetailsElement {
  return element(
    "details",
    {},
    element("summary", {}, title),
    element("ul", {}, ...items, ...(left > 0 ? [element("li", {}, `and ${count(left)} more`)] : [])),
  );
}

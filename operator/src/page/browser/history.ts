import type { FindingsData, HistoryData, SeriesData } from "../shape.ts";
import { barsOf } from "./bars.ts";
import { element, svg } from "./dom.ts";
import { count, distance, moment } from "./format.ts";

const WIDTH = 840;
const HEIGHT = 200;
const LEFT = 56;
const BOTTOM = 24;
const HOUR_MS = 3_600_000;
const ALL = "total";

/** What is followed over time, by the value of its option. */
const dimensions = [
  ["policies", "Policy"],
  ["namespaces", "Namespace"],
  ["owners", "Owner"],
] as const;

/** The chart of violations by hour, its text and its table. */
export class HistoryChart {
  readonly element: HTMLElement;
  readonly #select = element("select", { id: "series" });
  readonly #chart = element("div", { class: "chart" });
  readonly #about = element("p", { class: "note" });
  readonly #body = element("tbody");
  #findings: FindingsData | undefined;
  #offered = "";

  constructor() {
    this.#select.addEventListener("change", () => this.#show());
    const captionId = "caption-hours";
    this.element = element(
      "div",
      {},
      element("div", { class: "tools" }, element("label", { for: "series" }, "Of"), this.#select),
      this.#chart,
      this.#about,
      element(
        "details",
        {},
        element("summary", {}, "The same as a table"),
        element(
          "div",
          { class: "scroll", role: "region", "aria-labelledby": captionId, tabindex: 0 },
          element(
            "table",
            {},
            element("caption", { id: captionId }, "Most objects in each hour, the latest first"),
            element(
              "thead",
              {},
              element(
                "tr",
                {},
                element("th", { scope: "col" }, "Hour"),
                element("th", { scope: "col", class: "number" }, "Objects"),
              ),
            ),
            this.#body,
          ),
        ),
      ),
    );
  }

  update(findings: FindingsData, nowMs: number): void {
    this.#findings = findings;
    this.#offer(findings.history);
    this.#show(nowMs);
  }

  /** Options are replaced only where there are others: an open list would close. */
  #offer(history: HistoryData): void {
    const names = dimensions.map(([key]) => history[key].map(({ name }) => name));
    const offered = JSON.stringify(names);
    if (offered === this.#offered) return;
    this.#offered = offered;
    const chosen = this.#select.value;
    const groups = dimensions.map(([key, label]) =>
      element(
        "optgroup",
        { label },
        ...history[key].map(({ name }) => {
          const option = element("option", { value: `${key}/${name}` });
          option.text = name === "" ? "in no namespace" : name;
          return option;
        }),
      ),
    );
    this.#select.replaceChildren(
      element("option", { value: ALL }, "everything"),
      ...groups.filter((group) => group.children.length > 0),
    );
    this.#select.value = chosen;
    if (this.#select.selectedIndex < 0) this.#select.value = ALL;
  }

  #chosen(history: HistoryData): SeriesData {
    const { value } = this.#select;
    for (const [key] of dimensions) {
      const found = history[key].find(({ name }) => value === `${key}/${name}`);
      if (found !== undefined) return found;
    }
    return { name: "everything", counts: history.total };
  }

  #show(nowMs = Date.now()): void {
    if (this.#findings === undefined) return;
    const { history, since, recordedAt } = this.#findings;
    const { name, counts } = this.#chosen(history);
    const firstMs = Date.parse(history.firstHour);
    const hourOf = (index: number): string => new Date(firstMs + index * HOUR_MS).toISOString();
    this.#chart.replaceChildren(chartOf(counts, hourOf, summary(name, counts, hourOf)));
    this.#about.textContent =
      "Existing objects that break a policy, each hour the most there were at a time; a week is kept. Counted since " +
      `${moment(since)}, last recorded ${moment(recordedAt)} (${distance(recordedAt, nowMs)}). Hours in grey nobody counted.` +
      (nowMs - Date.parse(recordedAt) > 2 * HOUR_MS
        ? " Nothing was recorded for more than two hours: see whether an operator leads (kubectl get lease -n shieldx-system shieldx-operator)."
        : "");
    const rows = counts
      .map((value, index) =>
        element(
          "tr",
          {},
          element("th", { scope: "row" }, moment(hourOf(index))),
          element("td", { class: "number" }, value === null ? "not counted" : count(value)),
        ),
      )
      .reverse();
    this.#body.replaceChildren(...rows);
  }
}

/** What who cannot see the chart is told. */
function summary(name: string, counts: SeriesData["counts"], hourOf: (index: number) => string): string {
  const last = counts.at(-1) ?? 0;
  const largest = counts.reduce<number>((most, value) => Math.max(most, value ?? 0), 0);
  const at = counts.indexOf(largest);
  const peak = largest === 0 || at < 0 ? "never any" : `at most ${count(largest)}, at ${moment(hourOf(at))}`;
  const of = name === "" ? "in no namespace" : name;
  return `Violations over time, ${of}: ${count(last)} in the last hour, ${peak}.`;
}

function chartOf(
  counts: SeriesData["counts"],
  hourOf: (index: number) => string,
  label: string,
): SVGSVGElement {
  const { bars, gaps, top } = barsOf(counts, WIDTH - LEFT, HEIGHT);
  const rect = (kind: string, text: string, { x, y, width, height }: (typeof bars)[number]): SVGRectElement =>
    svg("rect", { class: kind, x: x + LEFT, y, width, height }, svg("title", {}, text));
  const line = (value: number): SVGElement[] => {
    const y = HEIGHT - (value / top) * HEIGHT;
    return [
      svg("line", { class: "grid", x1: LEFT, x2: WIDTH, y1: y, y2: y }),
      svg("text", { class: "tick", x: LEFT - 8, y: Math.max(12, y + 4), "text-anchor": "end" }, count(value)),
    ];
  };
  const day = (index: number): SVGElement[] => {
    const hour = moment(hourOf(index));
    if (hour.slice(11, 13) !== "00" || index > counts.length - 8) return [];
    const x = LEFT + (index * (WIDTH - LEFT)) / counts.length;
    return [svg("text", { class: "tick", x, y: HEIGHT + 18 }, hour.slice(5, 10))];
  };
  return svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT + BOTTOM}`, role: "img", "aria-label": label },
    ...line(0),
    ...(top > 1 ? line(top / 2) : []),
    ...line(top),
    ...gaps.map((gap) => rect("gap", `${moment(hourOf(gap.index))}: not counted`, gap)),
    ...bars.map((bar) => rect("bar", `${moment(hourOf(bar.index))}: ${count(counts[bar.index] ?? 0)}`, bar)),
    ...counts.flatMap((_, index) => day(index)),
  );
}

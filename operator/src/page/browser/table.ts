import { element } from "./dom.ts";
import { count } from "./format.ts";
import { type Column, ROWS_A_PAGE, shownRows, textIn, type View } from "./rows.ts";

/** A table that is sorted by its headings, filtered and leafed through; all of it by keyboard. */
export class DataTable<R> {
  readonly element: HTMLElement;
  readonly #name: string;
  readonly #columns: readonly Column<R>[];
  readonly #headings: readonly HTMLTableCellElement[];
  readonly #body = element("tbody");
  readonly #note = element("p", { class: "note", role: "status" });
  readonly #previous: HTMLButtonElement;
  readonly #next: HTMLButtonElement;
  #view: View = { sortedBy: undefined, isDescending: false, filter: "", page: 0 };
  #rows: readonly R[] = [];
  #total = 0;

  /** @param name of the rows, in the plural and in lower case: `policies` */
  constructor(name: string, caption: string, columns: readonly Column<R>[]) {
    this.#name = name;
    this.#columns = columns;
    this.#headings = columns.map((column, index) => this.#heading(column, index));
    this.#previous = this.#turner("Previous", -1);
    this.#next = this.#turner("Next", 1);
    const filterId = `filter-${name}`;
    const filter = element("input", {
      id: filterId,
      type: "search",
      autocomplete: "off",
      spellcheck: "false",
    });
    filter.addEventListener("input", () => this.#show({ filter: filter.value, page: 0 }));
    const captionId = `caption-${name}`;
    this.element = element(
      "div",
      { class: "table" },
      element("div", { class: "tools" }, element("label", { for: filterId }, `Filter ${name}`), filter),
      // A region that scrolls has to be reachable by keyboard.
      element(
        "div",
        { class: "scroll", role: "region", "aria-labelledby": captionId, tabindex: 0 },
        element(
          "table",
          {},
          element("caption", { id: captionId }, caption),
          element("thead", {}, element("tr", {}, ...this.#headings)),
          this.#body,
        ),
      ),
      element("div", { class: "tools" }, this.#previous, this.#next, this.#note),
    );
  }

  update(rows: readonly R[], total: number): void {
    this.#rows = rows;
    this.#total = total;
    this.#show({});
  }

  #heading(column: Column<R>, index: number): HTMLTableCellElement {
    const button = element("button", { type: "button" }, column.title);
    button.addEventListener("click", () => {
      const { sortedBy, isDescending } = this.#view;
      // Of numbers the largest are wanted first.
      const isNew = sortedBy !== index;
      this.#show({
        sortedBy: index,
        isDescending: isNew ? column.isNumber === true : !isDescending,
        page: 0,
      });
    });
    return element("th", { scope: "col", class: column.isNumber === true ? "number" : undefined }, button);
  }

  #turner(word: string, by: number): HTMLButtonElement {
    const button = element("button", { type: "button" }, `${word} ${this.#name}`);
    button.addEventListener("click", () => {
      // Not `disabled`: what has the focus must not lose it at the last page.
      if (button.getAttribute("aria-disabled") !== "true") this.#show({ page: this.#view.page + by });
    });
    return button;
  }

  #show(change: Partial<View>): void {
    const { rows, matching, page, pages } = shownRows(this.#rows, this.#columns, {
      ...this.#view,
      ...change,
    });
    this.#view = { ...this.#view, ...change, page };
    this.#headings.forEach((heading, index) => {
      if (index !== this.#view.sortedBy) heading.removeAttribute("aria-sort");
      else heading.setAttribute("aria-sort", this.#view.isDescending ? "descending" : "ascending");
    });
    this.#body.replaceChildren(...rows.map((row) => this.#row(row)));
    for (const [button, isPossible] of [
      [this.#previous, page > 0],
      [this.#next, page < pages - 1],
    ] as const) {
      button.setAttribute("aria-disabled", String(!isPossible));
      button.hidden = pages === 1;
    }
    this.#tell(this.#noteOf(matching, page));
  }

  #row(row: R): HTMLTableRowElement {
    const cells = this.#columns.map((column, index) => {
      const attributes = { class: column.isNumber === true ? "number" : undefined };
      const text = textIn(column, row);
      return index === 0
        ? element("th", { scope: "row", ...attributes }, text)
        : element("td", attributes, text);
    });
    return element("tr", {}, ...cells);
  }

  #noteOf(matching: number, page: number): string {
    const all = `${count(this.#total)} in all`;
    if (this.#total === 0) return `There are no ${this.#name}.`;
    if (matching === 0) return `Nothing matches the filter; ${all}.`;
    const from = page * ROWS_A_PAGE + 1;
    const to = Math.min(matching, from + ROWS_A_PAGE - 1);
    const left = this.#total - this.#rows.length;
    const rest = left > 0 ? ` ${count(left)} that come after these are not shown.` : "";
    const which = matching === this.#rows.length ? "" : " that match";
    return `${count(from)}–${count(to)} of ${count(matching)}${which}; ${all}.${rest}`;
  }

  /** What does not change is not said again to who listens. */
  #tell(text: string): void {
    if (this.#note.textContent !== text) this.#note.textContent = text;
  }
}

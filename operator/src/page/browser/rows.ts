/** Which rows of a table are shown, and in which order. */

export type Value = string | number;

export interface Column<R> {
  readonly title: string;
  /** By which it is sorted, and which a filter looks at. */
  value(row: R): Value;
  /** What is shown, where it is not just the value. */
  text?(row: R): string;
  readonly isNumber?: boolean;
}

export interface View {
  /** Index of a column; undefined: as the rows came. */
  readonly sortedBy: number | undefined;
  readonly isDescending: boolean;
  readonly filter: string;
  readonly page: number;
}

export const ROWS_A_PAGE = 25;

export interface Shown<R> {
  readonly rows: readonly R[];
  /** How many the filter lets through. */
  readonly matching: number;
  /** From 0. */
  readonly page: number;
  readonly pages: number;
}

export function shownRows<R>(rows: readonly R[], columns: readonly Column<R>[], view: View): Shown<R> {
  const words = view.filter.toLowerCase().split(/\s+/).filter(Boolean);
  const textOf = (row: R): string => columns.map((column) => textIn(column, row).toLowerCase()).join("\n");
  const matching =
    words.length === 0
      ? [...rows]
      : rows.filter((row) => {
          const text = textOf(row);
          return words.every((word) => text.includes(word));
        });
  const column = view.sortedBy === undefined ? undefined : columns[view.sortedBy];
  if (column !== undefined) {
    const sign = view.isDescending ? -1 : 1;
    // Sorting is stable: equal rows stay as they came.
    matching.sort((a, b) => sign * compareValues(column.value(a), column.value(b)));
  }
  const pages = Math.max(1, Math.ceil(matching.length / ROWS_A_PAGE));
  const page = Math.min(Math.max(0, view.page), pages - 1);
  const start = page * ROWS_A_PAGE;
  return { rows: matching.slice(start, start + ROWS_A_PAGE), matching: matching.length, page, pages };
}

export function textIn<R>(column: Column<R>, row: R): string {
  return column.text?.(row) ?? String(column.value(row));
}

function compareValues(a: Value, b: Value): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en");
}

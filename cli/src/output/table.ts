import { printable } from "../printable.ts";
import { paint, type Style, type Terminal } from "./terminal.ts";

/** A cell that stands out where the terminal shows colours. */
export interface Painted {
  readonly text: string;
  readonly style: Style;
  readonly terminal: Pick<Terminal, "color">;
}

export type Cell = string | Painted;

export function painted(terminal: Pick<Terminal, "color">, style: Style, text: string): Painted {
  return { text, style, terminal };
}

function textOf(cell: Cell | undefined): string {
  return printable(typeof cell === "object" ? cell.text : (cell ?? ""));
}

function width(text: string): number {
  return [...text].length;
}

/** Columns as kubectl prints them: upper-case heads, three blanks between, no rules, no trailing blanks. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const all: readonly (readonly Cell[])[] = [head.map((h) => h.toUpperCase()), ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => width(textOf(row[column])))));
  return all
    .map((row) =>
      widths
        .map((w, column) => {
          const cell = row[column];
          const text = textOf(cell);
          const shown = typeof cell === "object" ? paint(cell.terminal, cell.style, text) : text;
          return shown + " ".repeat(w - width(text));
        })
        .join("   ")
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join("");
}

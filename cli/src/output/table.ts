import { stripVTControlCharacters } from "node:util";

function width(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}

/** Columns as kubectl prints them: upper-case heads, three blanks between, no rules, no trailing blanks. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head.map((h) => h.toUpperCase()), ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => width(row[column] ?? ""))));
  return all
    .map((row) =>
      widths
        .map((w, column) => {
          const cell = row[column] ?? "";
          return cell + " ".repeat(w - width(cell));
        })
        .join("   ")
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join("");
}

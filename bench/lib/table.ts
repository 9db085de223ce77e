import type { BenchLine } from "./line.ts";

/** A Markdown table: a row for each figure, a column for each peer with what it took and how many times we are better. */
export function renderTable(lines: readonly BenchLine[]): string {
  const names = [...new Set(lines.map((line) => line.name))];
  const peers = [...new Set(lines.map((line) => line.peer))].toSorted(
    (a, b) => Number(a === "goal") - Number(b === "goal"),
  );
  const rows = names.map((name) => {
    const own = lines.filter((line) => line.name === name);
    const first = own[0];
    const cells = peers.map((peer) => {
      const line = own.find((candidate) => candidate.peer === peer);
      if (line === undefined) return "";
      const value = amount(line.peerValue, line.resolution);
      return line.ratio === null ? value : `${value} (×${figure(line.ratio)})`;
    });
    return [`${name}, ${first?.unit ?? ""}`, `**${amount(first?.value ?? 0, first?.resolution)}**`, ...cells];
  });
  const head = ["", "ShieldX", ...peers];
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function amount(value: number, resolution = Number.NEGATIVE_INFINITY): string {
  return value > resolution ? figure(value) : `≤ ${figure(resolution)}`;
}

function figure(value: number): string {
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(value);
}

/**
 * The text with what is between the markers of `name` replaced.
 * @throws Error when the text has no such markers
 */
export function replaceBetween(text: string, name: string, content: string): string {
  const [begin, end] = [`<!-- ${name}: generated -->`, `<!-- ${name}: end -->`];
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the text has no markers "${begin}" … "${end}"`);
  return `${text.slice(0, from + begin.length)}\n${content}\n${text.slice(to)}`;
}

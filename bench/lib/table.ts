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
      return line === undefined ? "" : `${figure(line.peerValue)} (×${figure(line.ratio)})`;
    });
    return [`${name}, ${first?.unit ?? ""}`, `**${figure(first?.value ?? 0)}**`, ...cells];
  });
  const head = ["", "ShieldX", ...peers];
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
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

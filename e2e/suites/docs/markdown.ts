/** A command block of a guide, with what it must print. */
export interface CommandBlock {
  readonly heading: string;
  /** 1-based line of its first command. */
  readonly line: number;
  readonly script: string;
  readonly mustFail: boolean;
  /** Not for who followed the page until here; another test runs it, where what it is for has happened. */
  readonly isApart: boolean;
  /** Lines that its output must hold, in order. */
  readonly expected: readonly string[];
}

interface Fence {
  readonly info: string;
  readonly line: number;
  readonly text: readonly string[];
  readonly heading: string;
  /** Nothing but blank lines since the fence before. */
  readonly followsFence: boolean;
}

/** Fenced blocks as CommonMark has them (three or more backticks), which is all our guides use. */
function* fencesOf(markdown: string): Generator<Fence> {
  const lines = markdown.split("\n");
  let heading = "";
  let followsFence = false;
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? "";
    const open = /^(`{3,})(.*)$/.exec(line);
    if (open === null) {
      if (line.startsWith("#")) heading = line.replace(/^#+\s*/, "");
      if (line.trim() !== "") followsFence = false;
      continue;
    }
    const end = lines.findIndex((other, at) => at > index && other.trim() === open[1]);
    if (end === -1) throw new Error(`line ${index + 1}: the block is never closed`);
    yield {
      info: (open[2] ?? "").trim(),
      line: index + 2,
      text: lines.slice(index + 1, end),
      heading,
      followsFence,
    };
    followsFence = true;
    index = end;
  }
}

/** Every command block in order. A `text` block right after one is its expected output. */
export function commandBlocks(markdown: string): CommandBlock[] {
  const blocks: CommandBlock[] = [];
  let lastWasCommand = false;
  for (const { info, line, text, heading, followsFence } of fencesOf(markdown)) {
    const [language, ...flags] = info.split(/\s+/);
    if (language === "sh" || language === "bash" || language === "shell" || language === "console") {
      const [mustFail, isApart] = [flags.includes("fails"), flags.includes("apart")];
      blocks.push({ heading, line, script: text.join("\n"), mustFail, isApart, expected: [] });
      lastWasCommand = true;
      continue;
    }
    const block = blocks.at(-1);
    if (language === "text" && followsFence && lastWasCommand && block !== undefined) {
      blocks[blocks.length - 1] = { ...block, expected: text.filter((expected) => expected.trim() !== "") };
    }
    lastWasCommand = false;
  }
  return blocks;
}

/** The first expected line that `output` does not hold after those before it; undefined when all are there. */
export function missingLine(expected: readonly string[], output: string): string | undefined {
  const lines = output.split("\n").map(squeeze);
  let from = 0;
  for (const line of expected) {
    const pattern = new RegExp(`^${squeeze(line).split("…").map(escapeRegExp).join(".*")}$`);
    const at = lines.findIndex((candidate, index) => index >= from && pattern.test(candidate));
    if (at === -1) return line;
    from = at + 1;
  }
  return undefined;
}

const squeeze = (text: string): string => text.replace(/\s+/g, " ").trim();
const escapeRegExp = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

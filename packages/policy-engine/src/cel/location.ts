import type { CelIssue } from "./errors.ts";

/** Line (from 1) and column (from 0, in code points) of an offset; an unknown offset (-1) is line -1 as in cel-go. */
export function locate(source: string, at: number): Pick<CelIssue, "line" | "column"> {
  if (at < 0) return { line: -1, column: -1 };
  const before = source.slice(0, at);
  const lineStart = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length, column: [...before.slice(lineStart)].length };
}

import type { Terminal } from "./output/terminal.ts";

export interface RecordingTerminal extends Terminal {
  readonly stdout: string;
  readonly stderr: string;
}

/** A terminal that keeps what was written to it. */
export function recordingTerminal(
  options: { color?: boolean; interactive?: boolean } = {},
): RecordingTerminal {
  const written = { stdout: "", stderr: "" };
  return {
    out: (text) => {
      written.stdout += text;
    },
    err: (text) => {
      written.stderr += text;
    },
    color: options.color ?? false,
    interactive: options.interactive ?? false,
    get stdout() {
      return written.stdout;
    },
    get stderr() {
      return written.stderr;
    },
  };
}

/** What a command may write to, and how. Given by argument, so that commands can be tested by their text. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  readonly color: boolean;
  /** stderr is a terminal: progress may rewrite its line. */
  readonly interactive: boolean;
}

/** Honours NO_COLOR (https://no-color.org) and FORCE_COLOR; otherwise colours only a terminal. */
export function wantsColor(env: Readonly<Record<string, string | undefined>>, isTty: boolean): boolean {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== "") return false;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "0") return true;
  return isTty && env.TERM !== "dumb";
}

export function processTerminal(process: NodeJS.Process): Terminal {
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    color: wantsColor(process.env, process.stdout.isTTY === true),
    interactive: process.stderr.isTTY === true && process.env.TERM !== "dumb",
  };
}

const codes = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const;
export type Style = keyof typeof codes;

export function paint(terminal: Pick<Terminal, "color">, style: Style, text: string): string {
  return terminal.color ? `\u001b[${codes[style]}m${text}\u001b[0m` : text;
}

/** Progress on stderr: one rewritten line on a terminal, nothing elsewhere. Returns the function that clears it. */
export function progress(terminal: Terminal, text: string): () => void {
  if (!terminal.interactive) return () => undefined;
  terminal.err(`\r\u001b[2K${text}`);
  return () => terminal.err("\r\u001b[2K");
}

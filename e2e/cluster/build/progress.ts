/** Shows that a long build is alive: what `go build -v` has compiled so far and how long it has taken. */

export interface ProgressOutput {
  readonly isTTY: boolean;
  write(text: string): void;
}

/** Counts the lines of `go build -v`: one per package compiled (cached ones are silent), `go: downloading` per module. */
export class BuildCount {
  compiled = 0;
  downloaded = 0;
  #rest = "";

  /** Returns the lines that are neither, which are the compiler's complaints. */
  add(chunk: string): string[] {
    const lines = (this.#rest + chunk).split("\n");
    this.#rest = lines.pop() ?? "";
    return lines.filter((line) => !this.#count(line));
  }

  end(): string[] {
    return this.add("\n").filter((line) => line !== "");
  }

  #count(line: string): boolean {
    if (line.startsWith("go: downloading ")) {
      this.downloaded++;
      return true;
    }
    if (/^[\w.~@/+-]+$/.test(line)) {
      this.compiled++;
      return true;
    }
    return line === "";
  }
}

export function progressLine(name: string, count: BuildCount, elapsedMs: number): string {
  const parts = [`${Math.round(elapsedMs / 1000)} s`, `${count.compiled} packages compiled`];
  if (count.downloaded > 0) parts.push(`${count.downloaded} modules downloaded`);
  return `building ${name}: ${parts.join(", ")}`;
}

/** On a terminal one line that is rewritten every second, elsewhere one line every `intervalMs` (10,000). */
export class Progress {
  readonly #output: ProgressOutput;
  readonly #line: () => string;
  readonly #timer: NodeJS.Timeout;

  constructor(line: () => string, output: ProgressOutput = process.stderr, intervalMs = 10_000) {
    this.#output = output;
    this.#line = line;
    this.#timer = setInterval(() => this.#show(), output.isTTY ? 1_000 : intervalMs);
    this.#show();
  }

  #show(): void {
    this.#output.write(this.#output.isTTY ? `\r\u001b[K${this.#line()}` : `${this.#line()}\n`);
  }

  /** Ends with a last line, which always stays visible. */
  end(message: string): void {
    clearInterval(this.#timer);
    this.#output.write(this.#output.isTTY ? `\r\u001b[K${message}\n` : `${message}\n`);
  }
}

import type { Logger } from "../kubernetes/logger.ts";

/**
 * Texts of a `Warning` header as the API server sends it (RFC 9111 §5.5 kept by KEP-1693): `299 - "text"`,
 * several separated by commas, with backslash escapes inside the quotes.
 */
export function parseWarnings(header: string): string[] {
  const texts: string[] = [];
  const pattern = /299\s+\S+\s+"((?:[^"\\]|\\.)*)"/g;
  for (const match of header.matchAll(pattern)) texts.push((match[1] ?? "").replace(/\\(.)/g, "$1"));
  return texts;
}

/** Logs each distinct warning once; remembers at most `capacity` of them, the oldest are forgotten first. */
export class WarningLog {
  readonly #logger: Logger;
  readonly #capacity: number;
  readonly #seen = new Set<string>();

  constructor(logger: Logger, capacity = 512) {
    this.#logger = logger;
    this.#capacity = capacity;
  }

  record(header: string | readonly string[], request: string): void {
    for (const one of typeof header === "string" ? [header] : header) {
      for (const text of parseWarnings(one)) this.#recordText(text, request);
    }
  }

  #recordText(text: string, request: string): void {
    if (this.#seen.has(text)) return;
    if (this.#seen.size >= this.#capacity) {
      for (const oldest of this.#seen) {
        this.#seen.delete(oldest);
        break;
      }
    }
    this.#seen.add(text);
    this.#logger.warn({ request }, `the API server warns: ${text}`);
  }
}

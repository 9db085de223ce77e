import { ApiError, TransportError } from "@shieldx/controller-runtime";
import { redactText } from "@shieldx/telemetry/redact";
import { stringify } from "yaml";
import { redactObject } from "./redact-object.ts";

export interface Missing {
  readonly what: string;
  readonly why: string;
}

/** The files of a bundle as they come in, redacted, and what could not be had. */
export class Collection {
  readonly files = new Map<string, string>();
  readonly missing: Missing[] = [];
  readonly #about = new Map<string, string>();
  readonly #tell: (what: string) => void;

  /** @param tell is told what is being collected */
  constructor(tell: (what: string) => void) {
    this.#tell = tell;
  }

  /** Collects one thing. What the cluster refuses is noted, and undefined returned; anything else is thrown. */
  async gather<T>(what: string, collect: () => Promise<T>): Promise<T | undefined> {
    this.#tell(what);
    try {
      return await collect();
    } catch (error) {
      if (!(error instanceof ApiError) && !(error instanceof TransportError)) throw error;
      this.missing.push({ what, why: redactText(reasonOf(error)) });
      return undefined;
    }
  }

  text(path: string, about: string, text: string): void {
    this.files.set(path, redactText(text));
    this.#about.set(path, about);
  }

  yaml(path: string, about: string, objects: readonly unknown[]): void {
    const documents = objects.map((object) => stringify(redactObject(object), { lineWidth: 0 }));
    this.text(path, `${about} (${objects.length})`, documents.join("---\n"));
  }

  json(path: string, about: string, value: unknown): void {
    this.text(path, about, `${JSON.stringify(value, null, 2)}\n`);
  }

  /** All files, the index first. */
  finish(head: string): ReadonlyMap<string, string> {
    const list = [...this.files].map(
      ([path, text]) => `| ${path} | ${Buffer.byteLength(text)} | ${this.#about.get(path) ?? ""} |`,
    );
    const missing =
      this.missing.length === 0
        ? "Nothing.\n"
        : `${this.missing.map(({ what, why }) => `- ${what}: ${why}`).join("\n")}\n`;
    const index = `# ${head}

Keys, tokens, passwords and values of environment variables are replaced by \`[redacted]\`. Contents of Secrets and
ConfigMaps were not read. Look through it all the same before you hand it on.

## What is here

| File | Bytes | What |
|---|---|---|
${list.join("\n")}

## What is missing

${missing}`;
    const table = [...this.files].map(([path, text]) => ({
      path,
      bytes: Buffer.byteLength(text),
      about: this.#about.get(path),
    }));
    const json = JSON.stringify({ files: table, missing: this.missing }, null, 2);
    return new Map([["index.md", index], ["index.json", `${json}\n`], ...this.files]);
  }
}

function reasonOf(error: ApiError | TransportError): string {
  if (error instanceof ApiError && error.code === 403) return `not allowed: ${error.message}`;
  if (error instanceof ApiError && error.code === 404) return `not there: ${error.message}`;
  return error.message;
}

import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { ManifestSyntaxError, parseManifestDocuments } from "@shieldx/crds";
import { UsageError } from "../errors.ts";

/** One Kubernetes object and the place it was read from. */
export interface Manifest {
  readonly file: string;
  /** 1-based line of the document's first node. */
  readonly line: number;
  readonly object: Readonly<Record<string, unknown>> & { apiVersion: string; kind: string };
}

const manifestName = /\.(ya?ml|json)$/i;
const maxFileBytes = 64 * 1024 * 1024;

/** Files under `path`, folders walked in name order: of these those with such a name. Throws UsageError when it does not exist. */
export async function filesUnder(path: string, isWanted: RegExp = manifestName): Promise<string[]> {
  const info = await stat(path).catch((cause: unknown) => {
    throw new UsageError("FileNotFound", `${path}: no such file or folder`, { cause });
  });
  if (!info.isDirectory()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((e) => e.isFile() && isWanted.test(e.name))
    .map((e) => join(e.parentPath, e.name))
    .sort();
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What is done with documents that are no Kubernetes objects: refused, or passed over. */
export type OnOther = "refuse" | "skip";

function asObjects(value: unknown, file: string, line: number, onOther: OnOther): Manifest[] {
  if (value === null || value === undefined) return [];
  if (!isRecord(value) || typeof value.apiVersion !== "string" || typeof value.kind !== "string") {
    if (onOther === "skip") return [];
    throw new UsageError(
      "NotAManifest",
      `${file}:${line}: not a Kubernetes object: apiVersion and kind are required`,
    );
  }
  if (value.kind === "List" && Array.isArray(value.items)) {
    return value.items.flatMap((item) => asObjects(item, file, line, onOther));
  }
  return [{ file, line, object: value as Manifest["object"] }];
}

/** Every object in a YAML or JSON text, read as kubectl reads it. Throws UsageError naming file and line. */
export function parseManifests(text: string, file: string, onOther: OnOther = "refuse"): Manifest[] {
  try {
    return parseManifestDocuments(text, file).flatMap(({ value, line }) =>
      asObjects(value, file, line, onOther),
    );
  } catch (error) {
    if (!(error instanceof ManifestSyntaxError)) throw error;
    throw new UsageError("InvalidYaml", error.message, { cause: error });
  }
}

async function standardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

/** Reads files, folders and `-` (standard input), in the order given. */
export async function readManifests(
  paths: readonly string[],
  onOther: OnOther = "refuse",
): Promise<Manifest[]> {
  const found: Manifest[] = [];
  for (const path of paths) {
    if (path === "-") {
      found.push(...parseManifests(await standardInput(), "<stdin>", onOther));
      continue;
    }
    for (const file of await filesUnder(path))
      found.push(...parseManifests(await readText(file), file, onOther));
  }
  return found;
}

/** Throws UsageError for a file that is too large. */
export async function readText(file: string): Promise<string> {
  return (await readBounded(file, maxFileBytes, "split it")).toString("utf8");
}

/**
 * At most `mostBytes` of a file. Pipes and devices, whose size nobody knows, are read as far as that.
 * @throws UsageError `FileTooLarge`, with the remedy
 */
export async function readBounded(file: string, mostBytes: number, remedy: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of createReadStream(file)) {
    bytes += (chunk as Buffer).length;
    if (bytes > mostBytes)
      throw new UsageError("FileTooLarge", `${file}: ${remedy}, at most ${mostBytes} bytes are read`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks, bytes);
}

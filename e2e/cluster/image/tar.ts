/** Writes tar archives (POSIX.1-1988 ustar, with pax records for long names) whose bytes depend on their content only. */
import { createReadStream } from "node:fs";

interface Ownership {
  /** Without a leading slash. */
  readonly path: string;
  /** Permission bits, e.g. 0o755. */
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
}

export type TarEntry = Ownership &
  (
    | { readonly type: "directory" }
    | { readonly type: "symlink"; readonly target: string }
    | { readonly type: "file"; readonly content: Uint8Array }
    /** Read from the host when written; `sizeBytes` has to be what is read. */
    | { readonly type: "file"; readonly source: string; readonly sizeBytes: number }
  );

const blockBytes = 512;
const typeFlags = { file: "0", symlink: "2", directory: "5" } as const;

/** The archive in pieces. Throws RangeError for a path that leaves the archive, Error for a source that changed its size. */
export async function* tarArchive(entries: Iterable<TarEntry>): AsyncGenerator<Uint8Array> {
  for (const entry of entries) {
    checkPath(entry.path);
    const path = entry.type === "directory" ? `${entry.path}/` : entry.path;
    const target = entry.type === "symlink" ? entry.target : "";
    const name = splitPath(path);
    const records: Record<string, string> = {};
    if (name === undefined) records.path = path;
    if (Buffer.byteLength(target) > 100) records.linkpath = target;
    if (Object.keys(records).length > 0) yield paxHeader(records);
    const size = sizeOf(entry);
    yield header({
      name: name ?? { prefix: "", name: truncate(path, 100) },
      mode: entry.mode,
      uid: entry.uid ?? 0,
      gid: entry.gid ?? 0,
      size,
      flag: typeFlags[entry.type],
      target: truncate(target, 100),
    });
    if (entry.type !== "file") continue;
    yield* "content" in entry ? [entry.content] : readExactly(entry.source, size);
    yield padding(size);
  }
  yield new Uint8Array(2 * blockBytes);
}

/** Entries in path order with every missing parent folder (root's, 0755) put in front. The later of two equal paths wins. */
export function withParents(entries: readonly TarEntry[]): TarEntry[] {
  const byPath = new Map<string, TarEntry>();
  for (const entry of entries) {
    const parts = entry.path.split("/");
    for (let depth = 1; depth < parts.length; depth++) {
      const path = parts.slice(0, depth).join("/");
      if (!byPath.has(path)) byPath.set(path, { type: "directory", path, mode: 0o755 });
    }
    byPath.set(entry.path, entry);
  }
  return [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

export function sizeOf(entry: TarEntry): number {
  if (entry.type !== "file") return 0;
  return "content" in entry ? entry.content.byteLength : entry.sizeBytes;
}

function checkPath(path: string): void {
  const parts = path.split("/");
  if (parts.some((part) => part === "" || part === "." || part === "..") || path.includes("\0")) {
    throw new RangeError(`${JSON.stringify(path)} is not a plain relative path`);
  }
}

async function* readExactly(source: string, sizeBytes: number): AsyncGenerator<Uint8Array> {
  let read = 0;
  for await (const chunk of createReadStream(source, { highWaterMark: 1 << 20 })) {
    read += (chunk as Buffer).byteLength;
    yield chunk as Buffer;
  }
  if (read !== sizeBytes) throw new Error(`${source} has ${read} bytes, not ${sizeBytes} as before`);
}

/** The ustar fields for a path, or undefined when it fits neither. A split has to fall on a slash. */
function splitPath(path: string): { prefix: string; name: string } | undefined {
  if (Buffer.byteLength(path) <= 100) return { prefix: "", name: path };
  for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1)) {
    const prefix = path.slice(0, at);
    const name = path.slice(at + 1);
    if (Buffer.byteLength(prefix) <= 155 && Buffer.byteLength(name) <= 100 && name !== "" && prefix !== "") {
      return { prefix, name };
    }
  }
  return undefined;
}

interface Header {
  readonly name: { prefix: string; name: string };
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly flag: string;
  readonly target: string;
}

function header(fields: Header): Uint8Array {
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, offset: number, length: number) =>
    block.write(`${value.toString(8).padStart(length - 1, "0")}\0`, offset, "latin1");
  if (fields.size >= 8 ** 11) throw new RangeError(`${fields.name.name} is larger than 8 GiB`);
  block.write(fields.name.name, 0, "utf8");
  octal(fields.mode, 100, 8);
  octal(fields.uid, 108, 8);
  octal(fields.gid, 116, 8);
  octal(fields.size, 124, 12);
  octal(0, 136, 12); // modification time
  block.write("        ", 148, "latin1"); // the checksum counts itself as spaces
  block.write(fields.flag, 156, "latin1");
  block.write(fields.target, 157, "utf8");
  block.write("ustar\x0000", 257, "latin1");
  block.write(fields.name.prefix, 345, "utf8");
  const checksum = block.reduce((sum, byte) => sum + byte, 0);
  block.write(`${checksum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

/** A pax extended header (POSIX.1-2001): records "LENGTH KEY=VALUE\n" whose length counts itself. */
function paxHeader(records: Readonly<Record<string, string>>): Uint8Array {
  const body = Buffer.concat(Object.entries(records).map(([key, value]) => paxRecord(key, value)));
  return Buffer.concat([
    header({
      name: { prefix: "", name: "PaxHeaders/entry" },
      mode: 0o644,
      uid: 0,
      gid: 0,
      size: body.length,
      flag: "x",
      target: "",
    }),
    body,
    padding(body.length),
  ]);
}

function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

function padding(sizeBytes: number): Uint8Array {
  return new Uint8Array((blockBytes - (sizeBytes % blockBytes)) % blockBytes);
}

/** At most `bytes` bytes, never half a character. */
function truncate(text: string, bytes: number): string {
  let result = text;
  while (Buffer.byteLength(result) > bytes) result = [...result].slice(0, -1).join("");
  return result;
}

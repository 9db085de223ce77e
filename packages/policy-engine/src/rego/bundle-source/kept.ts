/**
 * The last good bundle on disk, so that a restart does not need the bundle's server. A file may be torn or changed by
 * others: it is found by its digest and read, limits and signature included, as if it had just been fetched.
 */
import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

export interface KeptBundle {
  readonly bytes: Uint8Array;
  readonly etag: string | undefined;
}

export interface BundleStore {
  /** Undefined where nothing usable is kept. Throws what the file system throws. */
  load(maxBytes: number): Promise<KeptBundle | undefined>;
  save(bundle: KeptBundle): Promise<void>;
}

const recordFile = "current.json";
const maxRecordBytes = 16_384;
const bundleName = /^[0-9a-f]{64}\.tar\.gz$/;

/** @param folder is its own; made where it is missing. */
export function bundleFolder(folder: string): BundleStore {
  return {
    async load(maxBytes) {
      const record = readRecord(await contentOf(join(folder, recordFile), maxRecordBytes));
      if (record === undefined) return undefined;
      const bytes = await contentOf(join(folder, `${record.digest}.tar.gz`), maxBytes);
      return bytes !== undefined && digestOf(bytes) === record.digest
        ? { bytes, etag: record.etag }
        : undefined;
    },
    async save({ bytes, etag }) {
      const digest = digestOf(bytes);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await write(folder, `${digest}.tar.gz`, bytes);
      await write(folder, recordFile, Buffer.from(JSON.stringify({ digest, etag })));
      for (const name of await readdir(folder))
        if ((bundleName.test(name) && name !== `${digest}.tar.gz`) || name.endsWith(".tmp"))
          await rm(join(folder, name), { force: true });
    },
  };
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function readRecord(bytes: Uint8Array | undefined): { digest: string; etag: string | undefined } | undefined {
  if (bytes === undefined) return undefined;
  let record: unknown;
  try {
    record = JSON.parse(Buffer.from(bytes).toString());
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof record !== "object" || record === null || !("digest" in record)) return undefined;
  const { digest } = record;
  if (typeof digest !== "string" || !bundleName.test(`${digest}.tar.gz`)) return undefined;
  return { digest, etag: "etag" in record && typeof record.etag === "string" ? record.etag : undefined };
}

/** Undefined where there is no such file, or a larger one. */
async function contentOf(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    return size <= maxBytes ? await file.readFile() : undefined;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** Whole or not at all, also when the machine stops. */
async function write(folder: string, name: string, bytes: Uint8Array): Promise<void> {
  const path = join(folder, `${name}.${randomUUID()}.tmp`);
  {
    await using file = await open(path, "wx", 0o600);
    await file.writeFile(bytes);
    await file.sync();
  }
  await rename(path, join(folder, name));
}

/** Builds image archives once per content into the cache. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "../build/index.ts";
import { withLock } from "../build/lock.ts";
import { systemErrorCode } from "../errors.ts";
import { type ArchiveOptions, type Image, writeImageArchive } from "./archive.ts";
import type { TarEntry } from "./tar.ts";

export interface BuiltImage {
  readonly name: string;
  /** Of the manifest, `sha256:…`. */
  readonly digest: string;
}

export interface BuiltArchive {
  /** Path of the OCI archive in the cache. */
  readonly archive: string;
  readonly images: readonly BuiltImage[];
}

/** The archive that holds these images, from the cache when their content was built before. */
export async function buildArchive(
  label: string,
  images: readonly Image[],
  options: ArchiveOptions = {},
): Promise<BuiltArchive> {
  const base = join(cacheFolder(), "images", `${label}-${await contentKey(images, options)}`);
  const [archive, record] = [`${base}.tar`, `${base}.json`];
  const known = await readRecord(record);
  if (known) return { archive, images: known };
  const built = await withLock(
    `${base}.lock`,
    async () => {
      const builtMeanwhile = await readRecord(record);
      if (builtMeanwhile) return builtMeanwhile;
      const digests = await writeImageArchive(archive, images, options);
      const described = images.map(({ name }, index) => ({ name, digest: digests[index] ?? "" }));
      // The record is written last: where it is, the archive is whole.
      await writeFile(`${record}.new`, JSON.stringify(described));
      await rename(`${record}.new`, record);
      await removeOld(label);
      return described;
    },
    { pollMs: 100 },
  );
  return { archive, images: built };
}

/** Every change of a source makes another archive of 130 MB: those of one kind beyond the last five go after an hour. */
async function removeOld(label: string): Promise<void> {
  const folder = join(cacheFolder(), "images");
  const isOurs = (name: string) =>
    name.startsWith(`${label}-`) && /^[0-9a-f]{32}\.json$/.test(name.slice(-37));
  const names = (await readdir(folder)).filter(isOurs);
  const records = await Promise.all(
    names.map(async (name) => ({
      path: join(folder, name),
      builtMs: (await stat(join(folder, name))).mtimeMs,
    })),
  );
  records.sort((a, b) => b.builtMs - a.builtMs);
  for (const { path, builtMs } of records.slice(5)) {
    if (Date.now() - builtMs < 3_600_000) continue;
    await rm(path, { force: true });
    await rm(path.replace(/json$/, "tar"), { force: true });
  }
}

async function readRecord(path: string): Promise<BuiltImage[] | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as BuiltImage[];
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Changes with anything that changes the archive; the prefix is raised when the writer itself changes its output. */
async function contentKey(
  images: readonly Image[],
  { isCompressed = false }: ArchiveOptions,
): Promise<string> {
  const hash = createHash("sha256").update(`image-archive/1${isCompressed ? " gzip" : ""}`);
  for (const { name, architecture, config, layers } of images) {
    hash.update(JSON.stringify([name, architecture, config, layers.length]));
    for (const layer of layers) {
      for (const entry of layer) hash.update(JSON.stringify(await describe(entry)));
    }
  }
  return hash.digest("hex").slice(0, 32);
}

async function describe(entry: TarEntry): Promise<unknown> {
  const owner = [entry.path, entry.mode, entry.uid ?? 0, entry.gid ?? 0, entry.type];
  if (entry.type === "directory") return owner;
  if (entry.type === "symlink") return [...owner, entry.target];
  const hash = createHash("sha256");
  if ("content" in entry) hash.update(entry.content);
  else
    for await (const chunk of createReadStream(entry.source, { highWaterMark: 1 << 20 }))
      hash.update(chunk as Buffer);
  return [...owner, hash.digest("hex")];
}

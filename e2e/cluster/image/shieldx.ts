/** The ShieldX image without Docker and without a registry, from the same list of files as its Dockerfile. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { bundle } from "../../../images/shieldx/bundle.ts";
import { buildRegoCompiler, cacheFolder } from "../build/index.ts";
import { missingPrerequisite, systemErrorCode } from "../errors.ts";
import type { ArchiveOptions, Image } from "./archive.ts";
import { buildArchive } from "./build.ts";
import { debianEntries } from "./debian.ts";
import { imageArchitecture, text } from "./node-images.ts";
import type { TarEntry } from "./tar.ts";

/** images/shieldx/files.json. */
export interface ImageFiles {
  readonly name: string;
  readonly base: { readonly dockerfile: string; readonly debianPackages: readonly string[] };
  /** `from` is relative to the checkout; one that ends with a slash is a folder. `{arch}` is Node's name of the machine. */
  readonly files: readonly { readonly from: string; readonly to: string; readonly mode: string }[];
  readonly user: string;
  readonly workingDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

export interface ShieldxImage {
  /** Path of the OCI archive, for `loadImage` or `docker load`. */
  readonly archive: string;
  /** What a Pod names, with `imagePullPolicy: IfNotPresent`. */
  readonly name: string;
  /** Of the manifest; the same sources give the same digest. */
  readonly digest: string;
}

const root = join(import.meta.dirname, "..", "..", "..");
/** Made, not kept in the checkout. */
const bundleFolder = "images/shieldx/dist/";
const regoCompiler = "images/shieldx/rego-compiler.wasm";

export async function readImageFiles(): Promise<ImageFiles> {
  return JSON.parse(await readFile(join(root, "images", "shieldx", "files.json"), "utf8")) as ImageFiles;
}

/**
 * Bundles the sources as they are now and writes the image. Takes a second or two when little changed.
 * `name` replaces the list's own, for a second version beside the first; `bundle` is a folder that was bundled before,
 * of other sources. Throws `PREREQUISITE`.
 */
export async function buildShieldxImage(
  options: { readonly name?: string; readonly bundle?: string } & ArchiveOptions = {},
): Promise<ShieldxImage> {
  const list = await readImageFiles();
  await mkdir(join(cacheFolder(), "tmp"), { recursive: true });
  const scratch = await mkdtemp(join(cacheFolder(), "tmp", "shieldx-bundle-"));
  try {
    if (options.bundle === undefined) await bundle(scratch);
    const layers: TarEntry[][] = [[...(await debianEntries(list.base.debianPackages)), ...accounts()]];
    for (const { from, to, mode } of list.files) {
      const source = await sourceOf(from, options.bundle ?? scratch);
      layers.push(await listedFiles(source, to, Number.parseInt(mode, 8)));
    }
    const described: Image = {
      name: options.name ?? list.name,
      architecture: imageArchitecture(),
      config: {
        User: list.user,
        Env: Object.entries(list.environment).map(([key, value]) => `${key}=${value}`),
        Entrypoint: list.entrypoint,
        WorkingDir: list.workingDirectory,
        Labels: list.labels,
      },
      layers,
    };
    const label = options.isCompressed === true ? "shieldx-gzip" : "shieldx";
    const { archive, images } = await buildArchive(label, [described], options);
    const [image] = images;
    if (image === undefined) throw new Error("the archive holds no image");
    return { archive, ...image };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Where a file of the list is on this machine. */
async function sourceOf(from: string, bundled: string): Promise<string> {
  if (from === bundleFolder) return bundled;
  if (from === regoCompiler) return await buildRegoCompiler();
  return join(root, from.replace("{arch}", process.arch));
}

/** A file as `to`, or what is directly in a folder under `to`. */
async function listedFiles(source: string, to: string, mode: number): Promise<TarEntry[]> {
  const path = to.replace(/^\//, "").replace(/\/$/, "");
  const info = await stat(source).catch((error: unknown) => {
    if (systemErrorCode(error) !== "ENOENT") throw error;
    throw missingPrerequisite(`${source} is missing, a file of the image`, "npm ci");
  });
  if (!info.isDirectory()) return [{ type: "file", path, mode, source, sizeBytes: info.size }];
  const names = (await readdir(source)).sort();
  return await Promise.all(
    names.map(async (name): Promise<TarEntry> => {
      return { type: "file", path: `${path}/${name}`, mode, content: await readFile(join(source, name)) };
    }),
  );
}

/** What the base image of the Dockerfile has as well. */
function accounts(): TarEntry[] {
  return [
    text(
      "etc/passwd",
      "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin\n",
    ),
    text("etc/group", "root:x:0:\nnonroot:x:65532:\n"),
    { type: "directory", path: "tmp", mode: 0o1777 },
  ];
}

if (import.meta.main) {
  const { archive, name, digest } = await buildShieldxImage();
  process.stdout.write(`${archive}\n${name} ${digest}\n`);
}

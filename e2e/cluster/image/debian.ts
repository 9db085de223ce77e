/** Files for images out of Debian packages: downloaded by apt, unpacked by dpkg, not installed on the host. */
import { mkdir, readdir, readlink, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "../build/index.ts";
import { withLock } from "../build/lock.ts";
import { runCommand } from "../command.ts";
import { missingPrerequisite } from "../errors.ts";
import { run } from "../node/command.ts";
import type { TarEntry } from "./tar.ts";

/** Not needed to run a program: documentation, translations, and glibc's character set converters (8 MB). */
const leftOut = /^usr\/share\/(?!ca-certificates)|\/gconv\/|^usr\/lib\/locale\//;

/** Everything the packages install, as tar entries owned by root. Throws `PREREQUISITE` where apt cannot provide one. */
export async function debianEntries(packages: readonly string[]): Promise<TarEntry[]> {
  const entries: TarEntry[] = [];
  for (const name of packages) entries.push(...(await folderEntries(await unpacked(name))));
  const copyrights = await Promise.all(packages.map(copyrightEntry));
  return mergeUsr([...entries.filter((entry) => !leftOut.test(entry.path)), ...copyrights]);
}

/** Whoever hands on a library hands on its licence. */
async function copyrightEntry(name: string): Promise<TarEntry> {
  const { copyright } = await debianPackage(name);
  const path = `usr/share/doc/${name}/copyright`;
  return { type: "file", path, mode: 0o644, source: copyright, sizeBytes: (await stat(copyright)).size };
}

const mergedFolders = ["bin", "lib", "lib64", "sbin"] as const;

/** Puts /bin, /lib, /lib64 and /sbin under /usr, where newer releases have them, and links the old places to the new. */
export function mergeUsr(entries: readonly TarEntry[]): TarEntry[] {
  const isOld = (path: string) => mergedFolders.some((folder) => path.startsWith(`${folder}/`));
  const moved = entries
    .filter(({ path }) => !(mergedFolders as readonly string[]).includes(path))
    .map((entry) => (isOld(entry.path) ? { ...entry, path: `usr/${entry.path}` } : entry));
  const links = mergedFolders
    .filter((folder) => moved.some(({ path }) => path.startsWith(`usr/${folder}/`)))
    .map((folder): TarEntry => ({ type: "symlink", path: folder, mode: 0o777, target: `usr/${folder}` }));
  return [...moved, ...links];
}

/** What apt knows of a package, and where its own word on its licence is. */
export interface DebianPackage {
  readonly version: string;
  readonly architecture: string;
  /** Of the .deb file, hex. */
  readonly sha256: string;
  /** Path of the copyright file. */
  readonly copyright: string;
}

export async function debianPackage(name: string): Promise<DebianPackage> {
  const { version, architecture, sha256 } = await shown(name);
  const folder = await unpacked(name);
  const documentation = join(folder, "usr", "share", "doc", name);
  // Packages of one source share the file: the folder is then a link to that of another package.
  const other = await readlink(documentation).catch(() => undefined);
  const owner = other === undefined ? folder : await unpacked(other);
  return {
    version,
    architecture,
    sha256,
    copyright: join(owner, "usr", "share", "doc", other ?? name, "copyright"),
  };
}

async function shown(name: string): Promise<{ version: string; architecture: string; sha256: string }> {
  const answer = await runCommand("apt-cache", ["show", "--no-all-versions", name]);
  const field = (key: string) => new RegExp(`^${key}: (.*)$`, "m").exec(answer.stdout)?.[1];
  const [version, architecture, sha256 = ""] = [field("Version"), field("Architecture"), field("SHA256")];
  if (answer.code !== 0 || version === undefined || architecture === undefined) {
    throw missingPrerequisite(
      `apt-cache shows no package ${name}: ${answer.stderr.trim()}`,
      howToInstall(name),
    );
  }
  return { version, architecture, sha256 };
}

function howToInstall(name: string): string {
  return `apt-get update   # then apt can download ${name}; other distributions: run this on Debian or Ubuntu`;
}

/** Path of the unpacked package in the cache, one folder per version. */
async function unpacked(name: string): Promise<string> {
  const { version, architecture } = await shown(name);
  const folder = join(
    cacheFolder(),
    "debian",
    `${name}_${version.replaceAll(/[^\w.+~-]/g, "_")}_${architecture}`,
  );
  if (await isThere(folder)) return folder;
  await withLock(
    `${folder}.lock`,
    async () => {
      if (!(await isThere(folder))) await download(name, version, folder, howToInstall(name));
    },
    { pollMs: 100 },
  );
  return folder;
}

async function download(name: string, version: string, folder: string, install: string): Promise<void> {
  const scratch = `${folder}.${process.pid}.tmp`;
  await rm(scratch, { recursive: true, force: true });
  // apt fetches as its own user, which has to be able to write here; else it warns and fetches as root.
  await mkdir(join(scratch, "files"), { recursive: true, mode: 0o755 });
  const script = 'cd "$1" && apt-get download -qq -o APT::Sandbox::User=root "$2"';
  const fetched = await runCommand("sh", ["-c", script, "sh", scratch, `${name}=${version}`], {
    timeoutMs: 300_000,
  });
  const archive = (await readdir(scratch)).find((file) => file.endsWith(".deb"));
  if (archive === undefined) {
    throw missingPrerequisite(`apt cannot download ${name} ${version}: ${fetched.stderr.trim()}`, install);
  }
  await run("dpkg", ["-x", join(scratch, archive), join(scratch, "files")]);
  await rename(join(scratch, "files"), folder);
  await rm(scratch, { recursive: true, force: true });
}

/** A folder's files, folders and links as tar entries; setuid and setgid bits are dropped. */
export async function folderEntries(folder: string, prefix = ""): Promise<TarEntry[]> {
  const found: TarEntry[] = [];
  for (const item of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const source = join(item.parentPath, item.name);
    const path = join(prefix, source.slice(folder.length + 1));
    if (item.isSymbolicLink()) {
      found.push({ type: "symlink", path, mode: 0o777, target: await readlink(source) });
      continue;
    }
    const { mode, size } = await stat(source);
    if (item.isDirectory()) found.push({ type: "directory", path, mode: mode & 0o777 });
    else if (item.isFile()) {
      found.push({ type: "file", path, mode: mode & 0o777, source, sizeBytes: size });
    }
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

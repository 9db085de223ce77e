// The version before this one, from git: its chart and an image of its sources, to upgrade from.
import { execFile, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse, stringify } from "yaml";
import { buildShieldxImage, type ShieldxImage } from "../cluster/image/shieldx.ts";

const run = promisify(execFile);
const root = new URL("../..", import.meta.url).pathname;

export interface PreviousVersion extends AsyncDisposable {
  readonly commit: string;
  /** Folder of its chart. */
  readonly chart: string;
  readonly image: ShieldxImage;
}

/** The commit to upgrade from: $SHIELDX_UPGRADE_FROM or the one before this; undefined where git does not have it. */
export function previousCommit(): string | undefined {
  const reference = process.env.SHIELDX_UPGRADE_FROM ?? "HEAD~1";
  const { status, stdout } = spawnSync("git", ["rev-parse", "--verify", "--quiet", `${reference}^{commit}`], {
    cwd: root,
    encoding: "utf8",
  });
  return status === 0 ? stdout.trim() : undefined;
}

/**
 * Checks the commit out beside this checkout, with the dependencies that are installed here, and builds its image
 * under the tag `previous`. Throws when its sources need others.
 */
export async function buildPreviousVersion(commit: string): Promise<PreviousVersion> {
  const folder = await mkdtemp(join(tmpdir(), "shieldx-previous-"));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const archive = join(folder, "sources.tar");
    await run("git", ["archive", `--output=${archive}`, commit], { cwd: root });
    await run("tar", ["-xf", archive, "-C", folder]);
    await linkDependencies(folder);
    const bundle = join(folder, "bundle");
    await run(process.execPath, [join(folder, "images/shieldx/bundle.ts"), bundle], { cwd: folder });
    const image = await buildShieldxImage({ name: "docker.io/local/shieldx:previous", bundle });
    return { commit, chart: join(folder, "charts/shieldx"), image, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Third-party packages are this checkout's; ours must be that commit's own. */
async function linkDependencies(folder: string): Promise<void> {
  const [from, to] = [join(root, "node_modules"), join(folder, "node_modules")];
  await mkdir(to);
  for (const name of await readdir(from)) {
    if (name !== "@shieldx") await symlink(join(from, name), join(to, name));
  }
  await mkdir(join(to, "@shieldx"));
  const { workspaces } = JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as {
    workspaces: string[];
  };
  for (const pattern of workspaces) {
    const parent = pattern.replace(/\/?\*$/, "");
    const members = pattern.endsWith("*")
      ? (await readdir(join(folder, parent))).map((n) => join(parent, n))
      : [parent];
    for (const member of members) {
      const path = join(folder, member);
      const text = await readFile(join(path, "package.json"), "utf8").catch(() => undefined);
      const { name } = text === undefined ? { name: "" } : (JSON.parse(text) as { name: string });
      if (name.startsWith("@shieldx/")) await symlink(path, join(to, name));
    }
  }
}

/** Makes the kind in the older chart differ from today's, whatever the commits changed, by taking its columns away. */
export async function withoutPrinterColumns(chart: string): Promise<void> {
  const path = join(chart, "files/crds/shieldpolicies.yaml");
  const crd = parse(await readFile(path, "utf8")) as {
    spec: { versions: { additionalPrinterColumns?: unknown }[] };
  };
  for (const version of crd.spec.versions) delete version.additionalPrinterColumns;
  await writeFile(path, stringify(crd));
}

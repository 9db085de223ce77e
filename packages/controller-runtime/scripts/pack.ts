/**
 * Makes the tarball that is published: JavaScript and declarations instead of TypeScript, because Node strips no
 * types below node_modules. Usage: node scripts/pack.ts [FOLDER]; prints the tarball's path.
 */
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const packageDir = dirname(dirname(fileURLToPath(import.meta.url)));
const repositoryDir = resolve(packageDir, "../..");

/** Builds and packs into `folder`, which must exist. Returns the tarball's path. */
export async function pack(folder: string): Promise<string> {
  const staging = await mkdtemp(join(tmpdir(), "controller-runtime-pack-"));
  try {
    const compiler = join(repositoryDir, "node_modules/.bin/tsc");
    const project = join(packageDir, "tsconfig.build.json");
    await run(compiler, ["-p", project, "--outDir", join(staging, "dist")], { cwd: packageDir });
    await cp(join(packageDir, "examples"), join(staging, "examples"), { recursive: true });
    return await packStaged(packageDir, staging, folder, ["dist", "examples"]);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/**
 * Packs `files` of `staging` into `folder` with what a package tells of itself: entry points in dist, nothing of the
 * workspace. Returns the tarball's path.
 */
export async function packStaged(
  sourceDir: string,
  staging: string,
  folder: string,
  files: readonly string[],
): Promise<string> {
  const source = JSON.parse(await readFile(join(sourceDir, "package.json"), "utf8")) as Record<
    string,
    unknown
  >;
  const { private: _private, scripts: _scripts, devDependencies: _development, ...rest } = source;
  const exports = { ".": { types: "./dist/index.d.ts", default: "./dist/index.js" } };
  const published = { ...rest, exports, files };
  await writeFile(join(staging, "package.json"), `${JSON.stringify(published, null, 2)}\n`);
  await cp(join(sourceDir, "README.md"), join(staging, "README.md"));
  await cp(join(repositoryDir, "LICENSE"), join(staging, "LICENSE"));
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder], { cwd: staging });
  const [packed] = JSON.parse(stdout) as { filename?: string }[];
  if (packed?.filename === undefined) throw new Error(`npm pack named no tarball: ${stdout}`);
  return join(folder, packed.filename);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(`${await pack(resolve(process.argv[2] ?? "."))}\n`);
}

/**
 * Makes the tarballs that are published: this package's and, as it is not on a registry yet, that of the runtime it
 * needs. Usage: node scripts/pack.ts [FOLDER]; prints their paths.
 */
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { pack as packRuntime, packStaged } from "../../controller-runtime/scripts/pack.ts";

const run = promisify(execFile);
const packageDir = dirname(dirname(fileURLToPath(import.meta.url)));
const repositoryDir = resolve(packageDir, "../..");

/** Builds and packs both into `folder`, which must exist. Returns the tarballs' paths. */
export async function pack(folder: string): Promise<string[]> {
  const staging = await mkdtemp(join(tmpdir(), "dot-i-operator-pack-"));
  try {
    const runtime = await packRuntime(folder);
    const runtimeDir = join(staging, "node_modules/@shieldx/controller-runtime");
    await mkdir(runtimeDir, { recursive: true });
    await run("tar", ["-xzf", runtime, "-C", runtimeDir, "--strip-components=1"]);
    await compile(staging);
    return [runtime, await packStaged(packageDir, staging, folder, ["dist"])];
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Against the runtime's published declarations, as everybody else will. */
async function compile(staging: string): Promise<void> {
  await cp(join(packageDir, "src"), join(staging, "src"), { recursive: true });
  for (const name of ["yaml", "undici", "prom-client"]) {
    await symlink(join(repositoryDir, "node_modules", name), join(staging, "node_modules", name));
  }
  const config = {
    extends: join(repositoryDir, "packages/controller-runtime/tsconfig.build.json"),
    compilerOptions: {
      rootDir: "src",
      outDir: "dist",
      typeRoots: [join(repositoryDir, "node_modules/@types")],
    },
    include: ["src"],
    exclude: ["src/**/*.test.ts"],
  };
  await writeFile(join(staging, "tsconfig.json"), JSON.stringify(config));
  await writeFile(join(staging, "package.json"), JSON.stringify({ type: "module" }));
  try {
    await run(join(repositoryDir, "node_modules/.bin/tsc"), ["-p", staging]);
  } catch (error) {
    throw new Error(`tsc refused the package: ${(error as { stdout?: string }).stdout}`, { cause: error });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(`${(await pack(resolve(process.argv[2] ?? "."))).join("\n")}\n`);
}

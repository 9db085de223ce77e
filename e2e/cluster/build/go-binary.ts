/** Builds one binary from a pinned Go module, once per content, into the cache. */
import { spawn } from "node:child_process";
import { access, mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { ClusterError } from "../errors.ts";
import { cacheFolder } from "./cache.ts";
import { contentKey, moduleFiles } from "./content-key.ts";
import { withLock } from "./lock.ts";
import { type SourcePatch, vendorWithPatches } from "./patch.ts";
import { BuildCount, Progress, progressLine } from "./progress.ts";
import { checkGoVersion, type GoToolchain, goEnvironment, goToolchain } from "./toolchain.ts";

export interface GoBinary {
  /** Folder of the module (go.mod, go.sum, sources). */
  readonly module: string;
  /** File name of the result, e.g. `runsc`. */
  readonly output: string;
  /** What to build: `.` (the default), a folder, or the import path of a main package in a dependency. */
  readonly package?: string;
  readonly tags?: readonly string[];
  /** Linker flags; default `-s -w` (no debug information). */
  readonly ldflags?: string;
  /** Default: this machine's. */
  readonly goos?: string;
  readonly goarch?: string;
  /** Changes to the sources of dependencies; see `SourcePatch`. */
  readonly patches?: readonly SourcePatch[];
}

const underWay = new Map<string, Promise<string>>();

/**
 * Path of the binary, built now unless the cache has it. Always without cgo, so no C compiler is needed.
 * Throws `PREREQUISITE` (no Go, or too old), `BUILD_FAILED`, `PATCH_MISMATCH`.
 */
export async function buildGoBinary(binary: GoBinary): Promise<string> {
  const toolchain = await goToolchain();
  const { module, recipe, key, folder, path } = await plan(binary, toolchain);
  if (await exists(path)) return path;

  const running = underWay.get(path);
  if (running) return await running;
  const building = (async () => {
    await checkGoVersion(module, toolchain.version);
    await withLock(
      join(cacheFolder(), "locks", `${binary.output}-${key}`),
      async () => {
        if (!(await exists(path))) await build(module, binary.output, recipe, toolchain, folder);
      },
      { waiting: announceWait(binary.output) },
    );
    return path;
  })().finally(() => underWay.delete(path));
  underWay.set(path, building);
  return await building;
}

/** As `buildGoBinary`, for tests; undefined where Go is missing, which it says: `what` cannot run without. */
export async function buildGoBinaryOrSkip(binary: GoBinary, what: string): Promise<string | undefined> {
  try {
    return await buildGoBinary(binary);
  } catch (error) {
    if (!(error instanceof ClusterError && error.code === "PREREQUISITE")) throw error;
    console.warn(`SKIPPED: ${what} need Go: ${error.message}`);
    return undefined;
  }
}

/** Path of the binary where the cache has it; undefined where it would have to be built, or Go is missing. */
export async function findGoBinary(binary: GoBinary): Promise<string | undefined> {
  try {
    const { path } = await plan(binary, await goToolchain());
    return (await exists(path)) ? path : undefined;
  } catch (error) {
    if (error instanceof ClusterError && error.code === "PREREQUISITE") return undefined;
    throw error;
  }
}

async function plan(binary: GoBinary, toolchain: GoToolchain) {
  const module = resolve(binary.module);
  const recipe = {
    goVersion: toolchain.version,
    goos: binary.goos ?? toolchain.os,
    goarch: binary.goarch ?? toolchain.arch,
    package: binary.package ?? ".",
    tags: binary.tags ?? [],
    ldflags: binary.ldflags ?? "-s -w",
    patches: binary.patches ?? [],
  };
  const key = contentKey({ ...recipe, files: await moduleFiles(module) });
  const folder = join(cacheFolder(), "bin", `${binary.output}-${key}`);
  return { module, recipe, key, folder, path: join(folder, binary.output) };
}

type Recipe = Required<Pick<GoBinary, "package" | "tags" | "ldflags" | "goos" | "goarch" | "patches">>;

async function build(
  module: string,
  name: string,
  recipe: Recipe,
  go: GoToolchain,
  folder: string,
): Promise<void> {
  const began = Date.now();
  // Named after the result, whose lock is held: what a build that was killed left here is overwritten.
  const scratch = join(cacheFolder(), "tmp", basename(folder));
  const result = join(scratch, "result");
  await rm(scratch, { recursive: true, force: true });
  await mkdir(result, { recursive: true });
  const count = new BuildCount();
  const progress = new Progress(() => progressLine(name, count, Date.now() - began));
  const runGo = (args: readonly string[], cwd: string) => runGoCommand(go, recipe, args, cwd, count);
  try {
    let source = module;
    const isPatched = recipe.patches.length > 0;
    if (isPatched) {
      source = join(scratch, "module");
      await vendorWithPatches(module, source, recipe.patches, runGo);
    }
    const args = ["build", "-v", "-trimpath", "-buildvcs=false", isPatched ? "-mod=vendor" : "-mod=readonly"];
    if (recipe.tags.length > 0) args.push(`-tags=${recipe.tags.join(",")}`);
    args.push(`-ldflags=${recipe.ldflags}`, "-o", join(result, name), recipe.package);
    await runGo(args, source);
    const seconds = Math.round((Date.now() - began) / 1000);
    await writeFile(
      join(result, "build.json"),
      `${JSON.stringify({ module, ...recipe, go: go.version, seconds, compiled: count.compiled }, null, 2)}\n`,
    );
    await rm(folder, { recursive: true, force: true });
    await mkdir(join(folder, ".."), { recursive: true });
    await rename(result, folder);
    const megabytes = Math.round((await stat(join(folder, name))).size / 1e6);
    progress.end(`built ${name}: ${megabytes} MB in ${seconds} s (${count.compiled} packages compiled)`);
  } catch (error) {
    progress.end(`building ${name} failed after ${Math.round((Date.now() - began) / 1000)} s`);
    throw error;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function runGoCommand(
  go: GoToolchain,
  recipe: Pick<Recipe, "goos" | "goarch">,
  args: readonly string[],
  cwd: string,
  count: BuildCount,
): Promise<void> {
  const complaints: string[] = [];
  const child = spawn(go.command, args, {
    cwd,
    env: await goEnvironment(recipe),
    stdio: ["ignore", "ignore", "pipe"],
  });
  child.stderr.setEncoding("utf8");
  child.stderr.on("data", (chunk: string) => complaints.push(...count.add(chunk)));
  const { promise, resolve: done, reject } = Promise.withResolvers<number | null>();
  child.once("error", reject);
  child.once("close", done);
  const code = await promise;
  complaints.push(...count.end());
  if (code === 0) return;
  throw new ClusterError(
    "BUILD_FAILED",
    `go ${args.join(" ")} in ${cwd} ended with status ${code}:\n${complaints.slice(-40).join("\n")}`,
  );
}

function announceWait(name: string): (pid: number, waitedMs: number) => void {
  let next = 0;
  return (pid, waitedMs) => {
    if (waitedMs < next) return;
    next = waitedMs + 10_000;
    process.stderr.write(
      `waiting for process ${pid}, which builds ${name} (${Math.round(waitedMs / 1000)} s)\n`,
    );
  };
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

export type { SourcePatch };

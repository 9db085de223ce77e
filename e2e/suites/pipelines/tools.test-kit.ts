/** What pipelines of users have: the shieldctl of a release, and tools from PyPI that check what we publish for them. */
import { execFile } from "node:child_process";
import { access, chmod, mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { forNode } from "../../../images/shieldx/bundle.ts";
import { cacheFolder } from "../../cluster/build/cache.ts";
import { withLock } from "../../cluster/build/lock.ts";

const run = promisify(execFile);

export const root = new URL("../../../", import.meta.url).pathname;

/** One file that needs nothing but Node, as `make release` makes it. */
export async function buildShieldctl(folder: string): Promise<string> {
  const outfile = join(folder, "shieldctl");
  await mkdir(folder, { recursive: true });
  await build({ entryPoints: [join(root, "cli/src/bin.ts")], outfile, ...forNode });
  await chmod(outfile, 0o755);
  return outfile;
}

/** Of PyPI: pre-commit, a validator that holds the schemas of SchemaStore, and an auditor of workflows and actions. */
const tools = ["pre-commit==4.7.0", "check-jsonschema==0.39.0", "zizmor==1.32.0"];

/**
 * Folder with their programs, installed once into the cache; undefined where Python or PyPI is missing, which is said.
 */
export async function pipelineTools(): Promise<string | undefined> {
  const home = join(cacheFolder(), `pipeline-tools-${tools.join("-").replaceAll(/[^a-z0-9.-]/g, "")}`);
  return await withLock(`${home}.lock`, async () => await installed(home));
}

async function installed(home: string): Promise<string | undefined> {
  const programs = join(home, "bin");
  if (await isThere(join(home, "complete"))) return programs;
  try {
    await run("python3", ["-m", "venv", "--clear", home]);
    await run(join(programs, "pip"), ["install", "--quiet", "--disable-pip-version-check", ...tools], {
      timeout: 240_000,
    });
    await mkdir(join(home, "installing"));
    await rename(join(home, "installing"), join(home, "complete"));
    return programs;
  } catch (error) {
    const why = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
    process.stderr.write(`skipped: pre-commit, check-jsonschema and zizmor could not be installed: ${why}\n`);
    return undefined;
  }
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

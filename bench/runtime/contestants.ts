/** Who takes part, and how each is built and started. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildGoBinary } from "@shieldx/e2e/cluster";
import { cacheFolder } from "@shieldx/e2e/cluster/build";
import { pack } from "../../packages/controller-runtime/scripts/pack.ts";
import { MeasuredProcess } from "../lib/measured-process.ts";

const run = promisify(execFile);
const peersFolder = join(import.meta.dirname, "..", "peers");

export const contestants = ["ShieldX", "Go controller-runtime", "client-node", "fluent-client"] as const;
export type Contestant = (typeof contestants)[number];

export interface StartOptions {
  readonly kubeconfig: string;
  readonly processor: number | undefined;
  /** The `BENCH_` variables of bench/peers/README.md, without the prefix. */
  readonly variables: Readonly<Record<string, string | number>>;
  /** Whether the `heap` command may be given. */
  readonly measuresHeap?: boolean;
}

export interface Programs {
  start(who: Contestant, options: StartOptions): MeasuredProcess;
  /** Removes what was made for this run; what others can use again stays in the cache. */
  remove(): Promise<void>;
}

/** Builds, downloads and packs what takes part. */
export async function preparePrograms(who: readonly Contestant[]): Promise<Programs> {
  const temporary = join(cacheFolder(), "tmp");
  await mkdir(temporary, { recursive: true });
  const own = await mkdtemp(join(temporary, "bench-"));
  const shieldx = await installOurs(own);
  const peers = who.some((name) => name.endsWith("-node") || name.startsWith("fluent"))
    ? await installPeers()
    : "";
  const go = who.includes("Go controller-runtime")
    ? await buildGoBinary({
        module: join(peersFolder, "go-controller-runtime"),
        output: "go-controller-runtime",
      })
    : "";
  const script: Record<Contestant, string> = {
    ShieldX: join(shieldx, "shieldx", "shieldx.mjs"),
    "Go controller-runtime": go,
    "client-node": join(peers, "client-node.mjs"),
    "fluent-client": join(peers, "fluent-client.mjs"),
  };
  return {
    start(name, { kubeconfig, processor, variables, measuresHeap = false }) {
      const env: Record<string, string> = { KUBECONFIG: kubeconfig };
      for (const [variable, value] of Object.entries(variables)) env[`BENCH_${variable}`] = String(value);
      const isGo = name === "Go controller-runtime";
      return new MeasuredProcess({
        command: isGo ? go : process.execPath,
        args: isGo ? [] : [...(measuresHeap ? ["--expose-gc"] : []), script[name]],
        env,
        processor,
      });
    },
    remove: () => rm(own, { recursive: true, force: true }),
  };
}

/** Our package as it is published, installed from its tarball. */
async function installOurs(folder: string): Promise<string> {
  const tarball = await pack(folder);
  await writeFile(join(folder, "package.json"), '{"private": true, "type": "module"}\n');
  await npm(["install", "--no-package-lock", tarball], folder);
  for (const file of ["shieldx/shieldx.mjs", "node/protocol.mjs"]) {
    await cp(join(peersFolder, file), join(folder, file));
  }
  return folder;
}

/** The other JavaScript clients, once per content of their folder. */
async function installPeers(): Promise<string> {
  const source = join(peersFolder, "node");
  const files = [
    "package.json",
    "package-lock.json",
    ".npmrc",
    "protocol.mjs",
    "client-node.mjs",
    "fluent-client.mjs",
  ];
  const hash = createHash("sha256");
  for (const file of files) hash.update(file).update(await readFile(join(source, file)));
  const folder = join(cacheFolder(), "bin", `bench-peers-${hash.digest("hex").slice(0, 32)}`);
  if (existsSync(folder)) return folder;
  const fresh = await mkdtemp(join(cacheFolder(), "tmp", "bench-peers-"));
  for (const file of files) await cp(join(source, file), join(fresh, file));
  await npm(["ci", "--ignore-scripts"], fresh);
  await rename(fresh, folder).catch(async (error: unknown) => {
    await rm(fresh, { recursive: true, force: true });
    if (!existsSync(folder)) throw error; // otherwise another run was faster
  });
  return folder;
}

async function npm(args: readonly string[], cwd: string): Promise<void> {
  await run("npm", [...args, "--no-audit", "--no-fund", "--loglevel=error"], { cwd });
}

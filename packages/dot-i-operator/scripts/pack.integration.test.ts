import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Cluster, startCluster, waitFor } from "@shieldx/e2e/cluster";
import { afterAll, beforeAll, expect, it } from "vitest";
import { pack } from "./pack.ts";

const run = promisify(execFile);
let folder: string;
let cluster: Cluster;
let operator: ChildProcess | undefined;

beforeAll(async () => {
  [folder, cluster] = await Promise.all([
    mkdtemp(join(tmpdir(), "newcomer-")),
    startCluster({ name: `dot-i-pack-${process.pid}` }),
  ]);
});

afterAll(async () => {
  operator?.kill("SIGKILL");
  await cluster?.stop();
  await rm(folder, { recursive: true, force: true });
});

it("installs from its tarballs elsewhere and runs the example of its README as pasted", async () => {
  const tarballs = await pack(folder);
  await writeFile(
    join(folder, "package.json"),
    JSON.stringify({ name: "newcomer", type: "module", private: true }),
  );
  await run("npm", ["install", "--no-audit", "--no-fund", ...tarballs], { cwd: folder, timeout: 300_000 });
  const files = await readdir(join(folder, "node_modules/@shieldx/dot-i-operator"), { recursive: true });
  expect(files.filter((file) => /test|^src/.test(file))).toEqual([]);
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const example = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? "";
  await writeFile(join(folder, "operator.ts"), example);

  const log: string[] = [];
  operator = spawn(process.execPath, ["operator.ts"], {
    cwd: folder,
    env: { ...process.env, KUBECONFIG: cluster.kubeconfig },
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [operator.stdout, operator.stderr]) {
    stream?.on("data", (chunk: Buffer) => log.push(chunk.toString()));
  }
  const started = operator;
  const giveUp = (): void => {
    if (started.exitCode !== null)
      throw new Error(`the example exited with ${started.exitCode}:\n${log.join("")}`);
  };
  const says = (words: string) =>
    waitFor(words, async () => log.join("").includes(words) || undefined, { timeoutMs: 20_000, giveUp });
  const kubectl = async (...args: string[]): Promise<void> => {
    const { code, stderr } = await cluster.kubectl(args);
    if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
  };
  await kubectl("create", "configmap", "world");
  await kubectl("label", "configmap", "world", "greeting=wanted");
  await says("hello, world");
  await kubectl("delete", "configmap", "world");
  await says("good-bye, world");

  const exited = new Promise((resolve) => started.on("exit", resolve));
  started.kill("SIGTERM");
  expect(await exited).toBe(0);
}, 400_000);

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { copyFile, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
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
    startCluster({ name: `pack-${process.pid}` }),
  ]);
});

afterAll(async () => {
  operator?.kill("SIGKILL");
  await cluster?.stop();
  await rm(folder, { recursive: true, force: true });
});

it("installs from its tarball elsewhere and runs the example of its README against a real API server", async () => {
  const tarball = await pack(folder);
  await writeFile(
    join(folder, "package.json"),
    JSON.stringify({ name: "newcomer", type: "module", private: true }),
  );
  await run("npm", ["install", "--no-audit", "--no-fund", tarball], { cwd: folder, timeout: 300_000 });
  const installed = join(folder, "node_modules/@shieldx/controller-runtime");
  const files = await readdir(join(installed, "dist"), { recursive: true });
  expect(
    files.filter((file) => file.includes(".test") || (file.endsWith(".ts") && !file.endsWith(".d.ts"))),
  ).toEqual([]);
  await copyFile(join(installed, "examples/team-config.ts"), join(folder, "team-config.ts"));

  await kubectl("create", "namespace", "shop");
  await kubectl("label", "namespace", "shop", "example.shieldx.io/team=payments");
  const log: string[] = [];
  operator = spawn(process.execPath, ["team-config.ts"], {
    cwd: folder,
    env: { ...process.env, KUBECONFIG: cluster.kubeconfig, HEALTH_BIND_ADDRESS: "127.0.0.1:0" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  operator.stdout?.on("data", (chunk: Buffer) => log.push(chunk.toString()));
  operator.stderr?.on("data", (chunk: Buffer) => log.push(chunk.toString()));
  const started = operator;
  const giveUp = (): void => {
    if (started.exitCode !== null)
      throw new Error(`the example exited with ${started.exitCode}:\n${log.join("")}`);
  };
  const team = () =>
    cluster.kubectl(["get", "configmap", "team", "-n", "shop", "-o", "jsonpath={.data.team}"]);
  const becomes = (what: string, wanted: string) =>
    waitFor(what, async () => (await team()).stdout === wanted, { timeoutMs: 20_000, giveUp });

  await becomes("the ConfigMap", "payments");
  await kubectl("delete", "configmap", "team", "-n", "shop");
  await becomes("the ConfigMap to be restored", "payments");
  await kubectl(
    "patch",
    "configmap",
    "team",
    "-n",
    "shop",
    "--type=merge",
    "-p",
    '{"data":{"team":"intruder"}}',
  );
  await becomes("the edit to be undone", "payments");
  await kubectl("label", "namespace", "shop", "--overwrite", "example.shieldx.io/team=checkout");
  await becomes("the new team", "checkout");
  await kubectl("label", "namespace", "shop", "example.shieldx.io/team-");
  await waitFor("the ConfigMap to be gone", async () => (await team()).code !== 0, {
    timeoutMs: 20_000,
    giveUp,
  });
  const events = await kubectl("get", "events", "-n", "default", "-o", "jsonpath={.items[*].reason}");
  expect(events).toContain("TeamSet");

  const exited = new Promise((resolve) => started.on("exit", resolve));
  started.kill("SIGTERM");
  expect(await exited).toBe(0);
}, 400_000);

async function kubectl(...args: string[]): Promise<string> {
  const { stdout, stderr, code } = await cluster.kubectl(args);
  if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
  return stdout;
}

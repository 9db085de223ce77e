import { spawn } from "node:child_process";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import { localAddresses } from "./loopback-address.ts";
import { isAlive, type ProcessIdentity } from "./process-identity.ts";
import { startCluster } from "./start.ts";
import { readState } from "./state.ts";
import { removeLeftovers } from "./stop.ts";
import { controlPlaneSuite } from "./testing/control-plane-suite.ts";
import { waitFor } from "./wait.ts";

controlPlaneSuite("1.37");

/** Every process of a cluster, its watchdog included. */
async function processesOf(dir: string): Promise<ProcessIdentity[]> {
  const state = await readState(dir);
  if (!state?.watchdog) throw new Error(`${dir} has no watchdog`);
  return [state.watchdog, ...Object.values(state.processes)];
}

async function allGone(processes: readonly ProcessIdentity[], dir: string): Promise<boolean> {
  const alive = await Promise.all(processes.map(isAlive));
  const isFolderThere = await access(dir).then(
    () => true,
    () => false,
  );
  return !alive.includes(true) && !isFolderThere;
}

describe("clusters side by side", () => {
  it("do not see each other, and each ends without the other", async () => {
    const [one, two] = await Promise.all([startCluster(), startCluster()]);
    try {
      await one.kubectl(["create", "namespace", "only-here"]);
      expect((await two.kubectl(["get", "namespace", "only-here"])).stderr).toContain("NotFound");
      const withForeignKey = await one.kubectl(["get", "namespaces", `--server=${two.apiServers[0]!.url}`]);
      expect(withForeignKey.stderr).toMatch(/certificate signed by unknown authority/);
    } finally {
      await one.stop();
    }
    expect((await two.kubectl(["get", "--raw", "/readyz"])).stdout).toBe("ok");
    await two.stop();
  });

  it("leave nothing behind when one cannot start", async () => {
    const name = "cannot-start";
    const failing = startCluster({ name, apiServerArgs: ["--no-such-flag"] });
    await expect(failing).rejects.toMatchObject({ code: "PROCESS_EXITED", message: /no-such-flag/ });
    await using again = await startCluster({ name });
    expect(again.name).toBe(name);
  });
});

describe("the end of a cluster", () => {
  const owner = join(import.meta.dirname, "testing", "owner.ts");

  /** A process of its own that starts a cluster and then does nothing. */
  async function startOwner(): Promise<{ pid: number; dir: string; addresses: string[] }> {
    const child = spawn(process.execPath, [owner], { stdio: ["ignore", "pipe", "inherit"] });
    for await (const line of createInterface({ input: child.stdout })) {
      const started: { dir: string; addresses: string[] } = JSON.parse(line);
      return { pid: child.pid!, ...started };
    }
    throw new Error("the owner ended before its cluster was ready");
  }

  it("is complete after kill -9 of the process that owns it", async () => {
    const { pid, dir, addresses } = await startOwner();
    const processes = await processesOf(dir);
    expect((await Promise.all(processes.map(isAlive))).every((alive) => alive)).toBe(true);
    process.kill(pid, "SIGKILL");
    await waitFor("the end of every process and of the folder", () => allGone(processes, dir), {
      timeoutMs: 20_000,
    });
    const added = addresses.filter((address) => address.startsWith("198.1"));
    expect(added.filter((address) => localAddresses().has(address))).toEqual([]);
  });

  it.runIf(process.platform === "linux")(
    "takes its processes along when even the watchdog is killed",
    async () => {
      await using cluster = await startCluster();
      const [watchdog, ...rest] = await processesOf(cluster.dir);
      process.kill(watchdog!.pid, "SIGKILL");
      await waitFor(
        "the end of every process",
        async () => !(await Promise.all(rest.map(isAlive))).includes(true),
        {
          timeoutMs: 10_000,
        },
      );
      // What files and addresses it left is for `make cluster-down`.
      expect(await removeLeftovers()).toContain(cluster.name);
      await expect(access(cluster.dir)).rejects.toThrow("ENOENT");
    },
  );
});

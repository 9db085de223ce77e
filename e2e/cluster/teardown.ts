/** Ends a cluster from its folder alone and leaves nothing: processes, nodes, addresses, files, in that order. */
import { cp, mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { ClusterError, systemErrorCode } from "./errors.ts";
import { removeLoopbackAddress } from "./loopback-address.ts";
import { isAlive, type ProcessIdentity } from "./process-identity.ts";
import { type ClusterState, readState } from "./state.ts";
import type { NodeTeardown } from "./types.ts";
import { waitFor } from "./wait.ts";

export async function tearDown(dir: string, log: (message: string) => void): Promise<void> {
  const state = await readState(dir);
  if (state) {
    await killProcesses(state);
    if (state.nodes > 0) {
      const nodes: NodeTeardown = await import("./node/teardown.ts");
      await nodes.tearDown({ id: state.id, dir, log });
    }
    for (const address of state.loopbackAddresses) await removeLoopbackAddress(address);
    await keepLogs(dir, state.name);
  }
  await refuseMounts(dir);
  await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

/** Kills what the state file names, each only if it is still the very process that was recorded. */
async function killProcesses(state: ClusterState): Promise<void> {
  await Promise.all(Object.entries(state.processes).map(([name, identity]) => kill(name, identity)));
}

export async function kill(name: string, identity: ProcessIdentity): Promise<void> {
  if (!(await isAlive(identity))) return;
  signal(identity.pid, "SIGKILL");
  await waitFor(`the end of ${name} (process ${identity.pid})`, async () => !(await isAlive(identity)), {
    timeoutMs: 20_000,
    intervalMs: 10,
  });
}

/** A process that ended in the meantime is fine. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (systemErrorCode(error) !== "ESRCH") throw error;
  }
}

/** `$SHIELDX_LOGS` keeps the logs of ended clusters, for CI to collect. */
async function keepLogs(dir: string, name: string): Promise<void> {
  const target = process.env.SHIELDX_LOGS;
  if (!target) return;
  await mkdir(target, { recursive: true });
  await cp(join(dir, "logs"), join(target, name), { recursive: true, force: true });
}

/** Removing files through a mount that was left behind would delete what is mounted there. */
async function refuseMounts(dir: string): Promise<void> {
  const table = await readFile("/proc/self/mountinfo", "utf8").catch((error: unknown) => {
    if (systemErrorCode(error) === "ENOENT") return ""; // not Linux
    throw error;
  });
  const mounts = mountsUnder(dir, table);
  if (mounts.length > 0) {
    throw new ClusterError(
      "COMMAND_FAILED",
      `still mounted under ${dir}: ${mounts.join(", ")}; unmount them and run \`make cluster-down\` again`,
    );
  }
}

/** Mount points below a folder, from the text of `/proc/self/mountinfo` (proc(5); field 5, octal escapes). */
export function mountsUnder(dir: string, mountinfo: string): string[] {
  return mountinfo
    .split("\n")
    .map((line) =>
      (line.split(" ")[4] ?? "").replace(/\\(\d{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      ),
    )
    .filter((point) => point === dir || point.startsWith(`${dir}/`));
}

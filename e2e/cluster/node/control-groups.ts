/**
 * The control groups that hold every process of a cluster's nodes: daemons, shims and containers.
 * A process cannot leave them unseen (children inherit them), which makes them the record of what to kill.
 */
import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ClusterError, systemErrorCode } from "../errors.ts";
import { signal } from "../teardown.ts";
import { waitFor } from "../wait.ts";
import { controlGroupName } from "./plan.ts";

export interface Hierarchy {
  readonly mountPoint: string;
  readonly version: 1 | 2;
  /** Version 1: the controllers (or `name=systemd`); empty for version 2. */
  readonly controllers: readonly string[];
}

/** Mounted control group hierarchies, from the text of /proc/self/mountinfo (see proc(5)). */
export function parseHierarchies(mountInfo: string): Hierarchy[] {
  const hierarchies = new Map<string, Hierarchy>();
  for (const line of mountInfo.split("\n")) {
    const [left = "", right = ""] = line.split(" - ");
    const mountPoint = left.split(" ")[4];
    const [type, , options = ""] = right.split(" ");
    if (mountPoint === undefined || (type !== "cgroup" && type !== "cgroup2")) continue;
    const controllers =
      type === "cgroup2"
        ? []
        : options.split(",").filter((o) => !["rw", "ro", "xattr", "nosuid", "clone_children"].includes(o));
    const key = type === "cgroup2" ? "2" : controllers.join(",");
    if (!hierarchies.has(key)) {
      hierarchies.set(key, { mountPoint, version: type === "cgroup2" ? 2 : 1, controllers });
    }
  }
  return [...hierarchies.values()];
}

export async function hierarchies(): Promise<Hierarchy[]> {
  const found = parseHierarchies(await readFile("/proc/self/mountinfo", "utf8"));
  if (found.length === 0) {
    throw new ClusterError("PREREQUISITE", "no control group file system is mounted under /sys/fs/cgroup");
  }
  return found;
}

export interface NodeControlGroups {
  /** Absolute within each hierarchy; the kubelet's `cgroupRoot`. */
  readonly pods: string;
  /** Folders whose `cgroup.procs` a daemon of the node writes itself into. */
  readonly daemonFolders: readonly string[];
}

/** Creates the groups of one node. Daemons get a leaf of their own: version 2 allows processes only in leaves. */
export async function createControlGroups(id: string, nodeName: string): Promise<NodeControlGroups> {
  const cluster = controlGroupName(id);
  const daemonFolders: string[] = [];
  for (const hierarchy of await hierarchies()) {
    const top = join(hierarchy.mountPoint, cluster);
    await mkdir(top, { recursive: true });
    if (hierarchy.controllers.includes("cpuset")) await inheritCpuset(hierarchy.mountPoint, top);
    await mkdir(join(top, nodeName, "pods"), { recursive: true });
    await mkdir(join(top, nodeName, "daemons"), { recursive: true });
    daemonFolders.push(join(top, nodeName, "daemons"));
  }
  return { pods: `/${cluster}/${nodeName}/pods`, daemonFolders };
}

/** A version 1 cpuset group starts without CPUs, and nothing can join it; its children then copy from it. */
async function inheritCpuset(parent: string, group: string): Promise<void> {
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    await writeFile(join(group, file), await readFile(join(parent, file)));
  }
  await writeFile(join(group, "cgroup.clone_children"), "1");
}

/** Kills every process of the cluster's nodes and removes the groups. Nothing to do is fine. Throws `TIMEOUT`. */
export async function removeControlGroups(id: string, timeoutMs = 20_000): Promise<{ killed: number }> {
  return await removeGroups(`cluster ${id}`, controlGroupName(id), timeoutMs);
}

/** The same for one node, as when its power fails: the other nodes' groups stay. */
export async function removeNodeControlGroups(
  id: string,
  nodeName: string,
  timeoutMs = 20_000,
): Promise<{ killed: number }> {
  return await removeGroups(`${nodeName} of cluster ${id}`, join(controlGroupName(id), nodeName), timeoutMs);
}

async function removeGroups(what: string, group: string, timeoutMs: number): Promise<{ killed: number }> {
  const tops = (await hierarchies()).map(({ mountPoint }) => join(mountPoint, group));
  const killed = new Set<number>();
  await waitFor(
    `the end of the processes of ${what}`,
    async () => {
      const left = [...new Set((await Promise.all(tops.map(processesUnder))).flat())];
      for (const pid of left) {
        killed.add(pid);
        signal(pid, "SIGKILL");
      }
      if (left.length > 0) throw new Error(`still running: ${left.join(", ")}`);
      return true;
    },
    { timeoutMs, intervalMs: 20 },
  );
  await waitFor(
    `the removal of the control groups of ${what}`,
    async () => {
      for (const top of tops) await removeTree(top);
      return true;
    },
    { timeoutMs },
  );
  return { killed: killed.size };
}

async function processesUnder(group: string): Promise<number[]> {
  const pids = (await readFile(join(group, "cgroup.procs"), "utf8").catch(absent("")))
    .split("\n")
    .filter((line) => line !== "" && line !== "0")
    .map(Number);
  for (const child of await childGroups(group)) pids.push(...(await processesUnder(child)));
  return pids;
}

async function removeTree(group: string): Promise<void> {
  for (const child of await childGroups(group)) await removeTree(child);
  await rmdir(group).catch(absent(undefined));
}

async function childGroups(group: string): Promise<string[]> {
  const entries = await readdir(group, { withFileTypes: true }).catch(absent([]));
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(group, entry.name));
}

/** For files of a group that may vanish while it is read. */
function absent<T>(value: T): (error: unknown) => T {
  return (error) => {
    const code = systemErrorCode(error);
    if (code === "ENOENT" || code === "ENODEV" || code === "ENOTDIR") return value;
    throw error;
  };
}

/** What clusters leave on a machine if their tear-down is wrong, for tests that compare before and after. */
import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "../command.ts";
import { hierarchies } from "./control-groups.ts";

export interface MachineState {
  readonly links: readonly string[];
  readonly namedNetworks: readonly string[];
  readonly routes: readonly string[];
  readonly mounts: readonly string[];
  readonly rules: readonly string[];
  readonly controlGroups: readonly string[];
}

/** Without what belongs to other clusters of this library (`sx-…`, `shieldx-…`), which come and go on their own. */
export async function machineState(id: string): Promise<MachineState> {
  const isForeign = (line: string) => /\b(sx|shieldx)-[a-z0-9]{6}\b/.test(line) && !line.includes(id);
  const lines = (text: string) =>
    text
      .split("\n")
      .filter((line) => line !== "" && !isForeign(line))
      .sort();
  const output = async (command: string, ...args: string[]) =>
    lines((await runCommand(command, args)).stdout);
  const groups = await Promise.all((await hierarchies()).map(({ mountPoint }) => groupsUnder(mountPoint)));
  return {
    links: (await output("ip", "-oneline", "link", "show")).map((line) => line.split(": ")[1] ?? ""),
    namedNetworks: await output("ip", "netns", "list"),
    // Clusters without nodes put addresses on the loopback interface.
    routes: (await output("ip", "route", "show", "table", "all")).filter(
      (line) => !/^local 198\..* dev lo /.test(line),
    ),
    mounts: lines(await readFile("/proc/self/mounts", "utf8")),
    rules: [
      ...(await output("nft", "list", "ruleset")),
      ...(await output("iptables-save")),
      ...(await output("ipset", "list", "-n")),
    ].filter((line) => !line.startsWith("#")),
    controlGroups: groups.flat().filter((group) => !isForeign(group)),
  };
}

/** Two levels are where runtimes put what is theirs. */
async function groupsUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(folder, entry.name));
}

/** Processes that belong to the cluster: by its folder in their command line, or by a control group or namespace of its nodes. */
export async function processesOf(cluster: {
  readonly id: string;
  readonly dir: string;
  readonly namespaces: readonly string[];
}): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir("/proc")) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const read = (file: string) => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "");
    const [commandLine, groups, status] = await Promise.all([
      read("cmdline"),
      read("cgroup"),
      read("status"),
    ]);
    if (/^State:\s+Z/m.test(status)) continue;
    const namespaces = await Promise.all([namespaceOf(pid, "net"), namespaceOf(pid, "mnt")]);
    const isIts =
      commandLine.includes(cluster.dir) ||
      groups.includes(`shieldx-${cluster.id}`) ||
      namespaces.some((namespace) => namespace !== "" && cluster.namespaces.includes(namespace));
    if (isIts) found.push(`${pid} ${commandLine.replaceAll("\0", " ")}`);
  }
  return found;
}

export async function namespaceOf(pid: number | string, kind: "net" | "mnt"): Promise<string> {
  return await readlink(`/proc/${pid}/ns/${kind}`).catch(() => "");
}

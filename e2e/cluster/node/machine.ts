/**
 * One node's machine: a network, a mount and a hostname namespace, held open by one sleeping process, and a control
 * group. Nothing of it has a name on the host: when its last process dies, the kernel takes it down with every mount.
 *
 * Inside, the folders that the container runtime, the kubelet and the CNI plugins use have their usual paths and are
 * the node's own, so that several nodes, and the host's own container runtime, never meet.
 */
import { mkdir, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type CommandOptions, runCommand } from "../command.ts";
import { ClusterError } from "../errors.ts";
import type { CommandResult, ProcessHost, RunningProcess } from "../types.ts";
import { waitFor } from "../wait.ts";
import { createControlGroups, removeNodeControlGroups } from "./control-groups.ts";
import type { NodePlan } from "./plan.ts";

/** Shadowed on the node by folders of its own. Missing ones are created on the host, empty: a mount needs a place. */
const ownFolders = [
  "/run/containerd",
  "/var/lib/cni",
  "/var/lib/containerd",
  "/var/lib/kubelet",
  "/var/log",
] as const;

export interface Machine {
  readonly name: string;
  /** The node's folder on the host. */
  readonly dir: string;
  readonly pid: number;
  /** Absolute, within each control group hierarchy. */
  readonly podControlGroup: string;
  /** Where a path of the node is on the host. Only for paths in the node's own folders. */
  hostPath(path: string): string;
  /** Starts a daemon on the node under the cluster's watchdog. */
  start(
    name: string,
    command: string,
    args: readonly string[],
    env?: Record<string, string>,
  ): Promise<RunningProcess>;
  /** Runs a command on the node, as root in its namespaces. */
  execute(command: string, args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
}

export interface MachineOptions {
  readonly id: string;
  /** `<cluster>/nodes` */
  readonly dir: string;
  readonly node: NodePlan;
  readonly programs: Readonly<Record<string, string>>;
  readonly processes: ProcessHost;
}

/** Boots the machine of a node, the first time or after `killMachine`: its disk is as it was left, `/run` is empty. */
export async function startMachine(options: MachineOptions): Promise<Machine> {
  const { node, processes } = options;
  const dir = join(options.dir, node.name);
  await rm(join(dir, "booted"), { force: true });
  await rm(join(dir, "root", "run"), { recursive: true, force: true });
  await rm(join(dir, "bin"), { recursive: true, force: true });
  await mkdir(join(dir, "bin"), { recursive: true, mode: 0o700 });
  for (const folder of ownFolders) {
    await mkdir(join(dir, "root", folder), { recursive: true });
    await mkdir(folder, { recursive: true });
  }
  for (const [name, path] of Object.entries(options.programs)) await symlink(path, join(dir, "bin", name));
  const groups = await createControlGroups(options.id, node.name);

  const joinLines = joinGroups(groups.daemonFolders);
  await writeFile(join(dir, "boot"), bootScript(dir, node.name, joinLines), { mode: 0o700 });
  const holder = await processes.start({ name: node.name, command: join(dir, "boot"), args: [] });
  await writeFile(join(dir, "enter"), enterScript(dir, holder.pid, joinLines), { mode: 0o700 });
  await waitForBoot(dir, holder);
  const enter = join(dir, "enter");
  return {
    name: node.name,
    dir,
    pid: holder.pid,
    podControlGroup: groups.pods,
    hostPath: (path) => join(dir, "root", path),
    start: (name, command, args, env) =>
      processes.start({
        name: `${node.name}-${name}`,
        command: enter,
        args: [command, ...args],
        ...(env === undefined ? {} : { env }),
      }),
    execute: (command, args, commandOptions) => runCommand(enter, [command, ...args], commandOptions),
  };
}

/**
 * Ends everything that runs on a node at once, as when its power fails: daemons, shims, containers, and with the last
 * of them its namespaces. Returns how many processes that were.
 */
export async function killMachine(id: string, nodeName: string): Promise<{ killed: number }> {
  return await removeNodeControlGroups(id, nodeName);
}

function joinGroups(folders: readonly string[]): string {
  return folders.map((folder) => `echo $$ > '${folder}/cgroup.procs'`).join("\n");
}

/** Mounts follow the host's (slave) but never lead them; within the node they are shared, as the kubelet wants it. */
function bootScript(dir: string, name: string, joinLines: string): string {
  const binds = ownFolders.map((folder) => `mount --bind '${dir}/root${folder}' '${folder}'`);
  return `#!/bin/sh
set -eu
if [ "\${1:-}" != inside ]; then
${joinLines}
exec unshare --net --mount --uts --propagation slave -- "$0" inside
fi
mount --make-rshared /
${binds.join("\n")}
echo '${name}' > /proc/sys/kernel/hostname
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
: > '${dir}/booted'
exec sleep infinity
`;
}

/** Also for people: \`nodes/node-1/enter ip address\` shows what the node sees. */
function enterScript(dir: string, pid: number, joinLines: string): string {
  return `#!/bin/sh
# Runs a command on this node of the test cluster: enter COMMAND [ARGUMENT...]
set -eu
${joinLines}
PATH='${dir}/bin':$PATH
export PATH
exec nsenter --target ${pid} --net --mount --uts -- "$@"
`;
}

async function waitForBoot(dir: string, holder: RunningProcess): Promise<void> {
  let exit: string | undefined;
  void holder.exited.then(({ code, signal }) => {
    exit = `status ${code ?? signal}`;
  });
  await waitFor(
    `the boot of ${holder.name}`,
    async () => (await readFile(join(dir, "booted"), "utf8")) === "",
    {
      timeoutMs: 15_000,
      intervalMs: 10,
      giveUp: async () => {
        if (exit === undefined) return;
        const log = await readFile(holder.logFile, "utf8");
        throw new ClusterError(
          "PROCESS_EXITED",
          `${holder.name} ended with ${exit} while booting: ${log.trim()}`,
        );
      },
    },
  );
  const [own, theirs] = await Promise.all(
    ["/proc/self/ns/net", `/proc/${holder.pid}/ns/net`].map((path) => readlink(path)),
  );
  if (own === theirs) {
    throw new ClusterError("PROCESS_EXITED", `${holder.name} runs in the host's network namespace`);
  }
}

/** The container runtime of a node, and how images get into it. */
import { mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ClusterError } from "../errors.ts";
import { pauseImage } from "../image/node-images.ts";
import type { RunningProcess } from "../types.ts";
import { waitFor } from "../wait.ts";
import type { Machine } from "./machine.ts";

export const containerdSocket = "/run/containerd/containerd.sock";

/**
 * containerd 2 configuration, format 3. `restrict_oom_score_adj`: a process without CAP_SYS_RESOURCE may not lower its
 * score, and every Pod asks for that. What is disabled would write to the host or wait for what is not there.
 */
export function containerdConfig(paths: {
  readonly cniConfigFolder: string;
  readonly runscConfig: string;
}): string {
  return `version = 3
root = "/var/lib/containerd"
state = "/run/containerd/state"
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.internal.v1.tracing",
  "io.containerd.nri.v1.nri",
  "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.erofs",
  "io.containerd.differ.v1.erofs",
  "io.containerd.tracing.processor.v1.otlp",
]

[grpc]
address = "${containerdSocket}"

[plugins."io.containerd.cri.v1.images"]
snapshotter = "overlayfs"

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "${pauseImage}"

[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
enable_cdi = false

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["/usr/lib/cni"]
conf_dir = "${paths.cniConfigFolder}"

[plugins."io.containerd.cri.v1.runtime".containerd]
default_runtime_name = "runc"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
BinaryName = "runc"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runsc]
runtime_type = "io.containerd.runsc.v1"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runsc.options]
TypeUrl = "io.containerd.runsc.v1.options"
ConfigPath = "${paths.runscConfig}"
`;
}

/** What gVisor's shim reads: where runsc is, and the platform that needs no virtualisation. */
export function runscConfig(runsc: string): string {
  return `binary_name = "${runsc}"
root = "/run/containerd/runsc"

[runsc_config]
platform = "systrap"
`;
}

/**
 * CNI network of a node. Each Pod hangs on a cable of its own and every packet is routed, so that Service and policy
 * rules see traffic within a node too, whether or not the kernel passes bridged packets to them (br_netfilter).
 */
export function cniConfig(podCidr: string): string {
  const ipam = { type: "host-local", ranges: [[{ subnet: podCidr }]], routes: [{ dst: "0.0.0.0/0" }] };
  return JSON.stringify({
    cniVersion: "1.0.0",
    name: "pods",
    plugins: [
      { type: "ptp", ipMasq: false, ipam },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  });
}

/** Resolves when the socket is there. */
export async function startContainerd(machine: Machine, podCidr: string, runsc: string): Promise<void> {
  const cniConfigFolder = join(machine.dir, "cni");
  const runscConfigFile = join(machine.dir, "runsc.toml");
  const configFile = join(machine.dir, "containerd.toml");
  await mkdir(cniConfigFolder, { recursive: true });
  await writeFile(join(cniConfigFolder, "10-pods.conflist"), cniConfig(podCidr));
  await writeFile(runscConfigFile, runscConfig(runsc));
  await writeFile(configFile, containerdConfig({ cniConfigFolder, runscConfig: runscConfigFile }));
  const daemon = await machine.start("containerd", "containerd", ["--config", configFile]);
  await waitForSocket(machine.hostPath(containerdSocket), daemon);
}

async function waitForSocket(path: string, daemon: RunningProcess): Promise<void> {
  const failed = daemon.exited.then(({ code, signal }) => {
    throw new ClusterError(
      "PROCESS_EXITED",
      `${daemon.name} ended with ${code ?? signal}: see ${daemon.logFile}`,
    );
  });
  const ready = waitFor(`the socket of ${daemon.name}`, async () => (await stat(path)).isSocket(), {
    timeoutMs: 30_000,
    intervalMs: 20,
  });
  failed.catch(() => undefined); // a later end is not this function's business
  await Promise.race([ready, failed]);
}

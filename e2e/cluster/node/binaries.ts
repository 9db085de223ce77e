/** What a node runs, each from its pinned Go module; about six minutes on two cores the first time, cached afterwards. */
import { join } from "node:path";
import { buildGoBinary, type SourcePatch } from "../build/index.ts";

export interface NodeBinaries {
  /** Started as `ctr` it is the client. */
  readonly containerd: string;
  readonly runcShim: string;
  readonly runsc: string;
  readonly runscShim: string;
  readonly kubeRouter: string;
  readonly coredns: string;
  readonly pause: string;
}

const modules = join(import.meta.dirname, "..", "modules");
const containerdTags = ["no_btrfs", "no_zfs", "no_devmapper"];

/**
 * gVisor's shim lowers its own OOM score and gives up where it may not, which is so without CAP_SYS_RESOURCE, as in
 * many build machines. For the test cluster only, that failure is dropped; on a machine short of memory the kernel may
 * then pick the shim. Never ship this binary.
 */
export const oomScorePatch: SourcePatch = {
  file: "gvisor.dev/gvisor/pkg/shim/v1/manager.go",
  replace: "if err := sys.SetOOMScore(cmd.Process.Pid, oomScoreMax); err != nil {",
  with: "if err := sys.SetOOMScore(cmd.Process.Pid, oomScoreMax); err != nil && !os.IsPermission(err) {",
};

/** One build after another: each of them uses every core. */
export async function buildNodeBinaries(): Promise<NodeBinaries> {
  const module = (name: string) => join(modules, name);
  const pause = await buildGoBinary({ module: module("pause"), output: "pause" });
  const containerd = await buildGoBinary({
    module: module("containerd"),
    package: "./containerd",
    output: "containerd",
    tags: containerdTags,
  });
  const runcShim = await buildGoBinary({
    module: module("containerd"),
    package: "./containerd-shim-runc-v2",
    output: "containerd-shim-runc-v2",
    tags: containerdTags,
  });
  const coredns = await buildGoBinary({ module: module("coredns"), output: "coredns" });
  const kubeRouter = await buildGoBinary({ module: module("kube-router"), output: "kube-router" });
  const runsc = await buildGoBinary({ module: module("gvisor"), package: "./runsc", output: "runsc" });
  const runscShim = await buildGoBinary({
    module: module("gvisor"),
    package: "./containerd-shim-runsc-v1",
    output: "containerd-shim-runsc-v1",
    patches: [oomScorePatch],
  });
  return { containerd, runcShim, runsc, runscShim, kubeRouter, coredns, pause };
}

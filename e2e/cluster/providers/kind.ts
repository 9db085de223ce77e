/** kind (Kubernetes in Docker), where there is Docker. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { BasicCluster } from "../cluster.ts";
import { runCommand } from "../command.ts";
import { ClusterError } from "../errors.ts";
import { createStateRoot, stateRoot } from "../state.ts";
import { openForeignCluster } from "./foreign.ts";

const configuration = join(import.meta.dirname, "..", "kind.yaml");

/** Why kind cannot be used on this machine, with what to do about it; undefined when it can. */
export async function whyNoKind(): Promise<string | undefined> {
  const docker = await runCommand("docker", ["info", "--format={{.ServerVersion}}"], { timeoutMs: 20_000 });
  if (docker.code === 127) return "the docker command is not installed (Debian: apt-get install docker.io)";
  if (docker.code !== 0) {
    return `no Docker engine answers: ${docker.stderr.trim().split("\n")[0] ?? ""} (start it: systemctl start docker)`;
  }
  const kind = await runCommand("kind", ["version"]);
  if (kind.code !== 0) return "kind is not installed (go install sigs.k8s.io/kind@latest)";
  return undefined;
}

export function kindKubeconfig(name: string): string {
  return join(stateRoot(), `kind-${name}.kubeconfig`);
}

/** Uses the kind cluster of that name, or creates it from `kind.yaml`. `KIND_IMAGE` chooses another node image. */
export async function openKindCluster(name: string, log: (message: string) => void): Promise<BasicCluster> {
  await createStateRoot(stateRoot());
  const kubeconfig = kindKubeconfig(name);
  const clusters = await runCommand("kind", ["get", "clusters"]);
  if (clusters.stdout.split("\n").includes(kindName(name))) {
    await kind(["export", "kubeconfig", `--name=${kindName(name)}`, `--kubeconfig=${kubeconfig}`]);
  } else {
    log(`creating the kind cluster ${kindName(name)}`);
    const image = process.env.KIND_IMAGE ? [`--image=${process.env.KIND_IMAGE}`] : [];
    await kind([
      "create",
      "cluster",
      `--name=${kindName(name)}`,
      `--config=${configuration}`,
      `--kubeconfig=${kubeconfig}`,
      "--wait=180s",
      ...image,
    ]);
  }
  return await openForeignCluster({ name, kubeconfig, stop: () => deleteKindCluster(name) });
}

export async function deleteKindCluster(name: string): Promise<void> {
  await kind(["delete", "cluster", `--name=${kindName(name)}`]);
  await rm(kindKubeconfig(name), { force: true });
}

function kindName(name: string): string {
  return `shieldx-${name}`;
}

async function kind(args: readonly string[]): Promise<void> {
  const { code, stderr } = await runCommand("kind", args);
  if (code !== 0) throw new ClusterError("COMMAND_FAILED", `kind ${args.join(" ")}: ${stderr.trim()}`);
}

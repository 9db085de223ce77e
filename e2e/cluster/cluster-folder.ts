/** Claims the folder of a new cluster, so that a name belongs to one cluster at a time. */
import { randomBytes } from "node:crypto";
import { mkdir, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { ClusterError, systemErrorCode } from "./errors.ts";
import { isAlive } from "./process-identity.ts";
import { type ClusterState, createStateRoot, readState, stateRoot, writeState } from "./state.ts";
import { tearDown } from "./teardown.ts";

export const components = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kubelet",
  "kube-proxy",
  "kubectl",
] as const;

export type ComponentName = (typeof components)[number];

/**
 * Creates `<state root>/<name>` with its state file in one step. What a crashed cluster left under that name is torn
 * down first. Throws `CLUSTER_EXISTS` when one is running.
 */
export async function claimFolder(
  state: ClusterState,
  binary: string,
  log: (message: string) => void,
): Promise<string> {
  const root = stateRoot();
  await createStateRoot(root);
  const dir = join(root, state.name);
  const prepared = join(root, `.new-${randomBytes(6).toString("hex")}`);
  for (const folder of ["logs", "bin", "kubeconfigs", "nodes"]) {
    await mkdir(join(prepared, folder), { recursive: true, mode: 0o700 });
  }
  for (const component of components) await symlink(binary, join(prepared, "bin", component));
  await writeState(prepared, state);
  try {
    for (;;) {
      try {
        await rename(prepared, dir);
        return dir;
      } catch (error) {
        const code = systemErrorCode(error);
        if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
      }
      await clearLeftover(dir, log);
    }
  } catch (error) {
    await rm(prepared, { recursive: true, force: true });
    throw error;
  }
}

async function clearLeftover(dir: string, log: (message: string) => void): Promise<void> {
  const state = await readState(dir);
  if (state === undefined || (await isInUse(state))) {
    throw new ClusterError(
      "CLUSTER_EXISTS",
      `a cluster is running in ${dir}: end it with \`make cluster-down\`, or choose another name`,
    );
  }
  log(`removing what a crashed cluster left in ${dir}`);
  await tearDown(dir, log);
}

/** Whether somebody still looks after the cluster: its watchdog, or the process that is about to start one. */
export async function isInUse(state: ClusterState): Promise<boolean> {
  return await isAlive(state.watchdog ?? state.owner);
}

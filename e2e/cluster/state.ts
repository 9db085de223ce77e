/**
 * The state file of a cluster: what has to be known to end it, by the watchdog or, after a crash, by anybody.
 * Addresses and nodes are written down before they are created, so that a crash in between leaves nothing unknown
 * behind; a process is written down as soon as it has a pid, and until then dies with the watchdog that started it.
 */
import { mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { ClusterError, systemErrorCode } from "./errors.ts";
import type { ProcessIdentity } from "./process-identity.ts";
import type { KubernetesMinor } from "./types.ts";

export interface ClusterState {
  readonly version: 1;
  readonly name: string;
  readonly id: string;
  readonly createdAt: string;
  readonly kubernetes: KubernetesMinor;
  /** How many nodes were asked for: whether the node half has anything to tear down. */
  readonly nodes: number;
  /** Whether the cluster outlives the process that started it. */
  readonly detached: boolean;
  readonly isReady: boolean;
  /** Who started it. */
  readonly owner: ProcessIdentity;
  readonly watchdog?: ProcessIdentity;
  readonly processes: Readonly<Record<string, ProcessIdentity>>;
  /** Addresses this cluster put on the loopback interface. */
  readonly loopbackAddresses: readonly string[];
  readonly apiServers: readonly string[];
}

/** `$SHIELDX_STATE`, else one folder per user under the temporary folder. Short, because it holds Unix sockets. */
export function stateRoot(env: NodeJS.ProcessEnv = process.env): string {
  return env.SHIELDX_STATE || join(tmpdir(), `shieldx-${userInfo().uid}`);
}

/** Creates the state root for this user alone; refuses one that somebody else put there first. */
export async function createStateRoot(root: string): Promise<void> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  const { uid } = await stat(root);
  if (uid !== userInfo().uid) {
    throw new ClusterError(
      "PREREQUISITE",
      `${root} belongs to user ${uid}: set SHIELDX_STATE to a folder of your own`,
    );
  }
}

export function newState(
  fields: Pick<ClusterState, "name" | "id" | "kubernetes" | "nodes" | "owner">,
): ClusterState {
  return {
    version: 1,
    createdAt: new Date().toISOString(),
    detached: false,
    isReady: false,
    processes: {},
    loopbackAddresses: [],
    apiServers: [],
    ...fields,
  };
}

export async function writeState(dir: string, state: ClusterState): Promise<void> {
  const path = join(dir, "state.json");
  await writeFile(`${path}.new`, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** Undefined when the folder holds no state file: a cluster that never got that far, or something else. */
export async function readState(dir: string): Promise<ClusterState | undefined> {
  try {
    const state: unknown = JSON.parse(await readFile(join(dir, "state.json"), "utf8"));
    return isState(state) ? state : undefined;
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Folders and states of the clusters of this user, running or left behind. */
export async function listStates(root: string): Promise<{ dir: string; state: ClusterState }[]> {
  const names = await readdir(root).catch((error: unknown) => {
    if (systemErrorCode(error) === "ENOENT") return [];
    throw error;
  });
  const found: { dir: string; state: ClusterState }[] = [];
  for (const name of names.sort()) {
    const dir = join(root, name);
    const state = await readState(dir);
    if (state) found.push({ dir, state });
  }
  return found;
}

function isState(value: unknown): value is ClusterState {
  return (
    typeof value === "object" &&
    value !== null &&
    "version" in value &&
    value.version === 1 &&
    "id" in value &&
    typeof value.id === "string" &&
    "processes" in value &&
    typeof value.processes === "object"
  );
}

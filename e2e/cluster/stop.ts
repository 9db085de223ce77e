/** Ends clusters this process did not start: detached ones, and what crashed runs left behind. */
import { access } from "node:fs/promises";
import { join } from "node:path";
import { isInUse } from "./cluster-folder.ts";
import { ClusterError } from "./errors.ts";
import { isAlive } from "./process-identity.ts";
import { type ClusterState, listStates, readState, stateRoot } from "./state.ts";
import { signal, tearDown } from "./teardown.ts";
import { waitFor } from "./wait.ts";

type Log = (message: string) => void;

/** Ends the cluster of that name. Throws `CLUSTER_NOT_FOUND`. */
export async function stopCluster(name: string, log: Log = () => undefined): Promise<void> {
  const dir = join(stateRoot(), name);
  const state = await readState(dir);
  if (state === undefined)
    throw new ClusterError("CLUSTER_NOT_FOUND", `no cluster named ${name} in ${stateRoot()}`);
  await endCluster(dir, state, log);
}

/** Removes what clusters left whose watchdog is gone; returns their names. Running clusters are not touched. */
export async function removeLeftovers(log: Log = () => undefined): Promise<string[]> {
  const removed: string[] = [];
  for (const { dir, state } of await listStates(stateRoot())) {
    if (await isInUse(state)) continue;
    log(`removing what a crashed cluster left in ${dir}`);
    await tearDown(dir, log);
    removed.push(state.name);
  }
  return removed;
}

/** The watchdog does the work as long as there is one; otherwise, or if it fails, this process does. */
async function endCluster(dir: string, state: ClusterState, log: Log): Promise<void> {
  const { watchdog } = state;
  if (watchdog && (await isAlive(watchdog))) {
    signal(watchdog.pid, "SIGTERM");
    await waitFor(`the end of the watchdog of ${state.name}`, async () => !(await isAlive(watchdog)), {
      timeoutMs: 120_000,
    });
  }
  const isLeft = await access(dir).then(
    () => true,
    () => false,
  );
  if (isLeft) await tearDown(dir, log);
}

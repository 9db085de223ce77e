/**
 * Removes what the nodes of a cluster left on the machine. Nothing is remembered in memory: everything is found by the
 * cluster's id (control groups, links) or its folder (mounts), so it works as well after a crash, and again.
 */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { mountsUnder } from "../teardown.ts";
import { run } from "./command.ts";
import { removeControlGroups } from "./control-groups.ts";
import { removeLinks } from "./network.ts";

export async function tearDown(context: {
  readonly id: string;
  readonly dir: string;
  log(message: string): void;
}): Promise<void> {
  const folder = join(context.dir, "nodes");
  // Daemons, shims and containers. With the last of them go the node's namespaces, and with those its mounts and rules.
  const { killed } = await removeControlGroups(context.id);
  if (killed > 0) context.log(`ended ${killed} processes that were left on the nodes`);
  await removeLinks(context.id);
  await unmountUnder(folder);
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

/** Nodes mount in namespaces of their own; this is for a mount that somebody made by hand, deepest first. */
async function unmountUnder(folder: string): Promise<void> {
  const mounts = mountsUnder(folder, await readFile("/proc/self/mountinfo", "utf8"));
  for (const mount of mounts.sort((a, b) => b.length - a.length)) await run("umount", ["--lazy", mount]);
}

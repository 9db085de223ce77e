/** A lock between processes: a file that names its holder. A holder that died without letting go is not waited for. */
import { mkdir, open, readFile, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { systemErrorCode } from "../errors.ts";
import { identityOf, isAlive, type ProcessIdentity } from "../process-identity.ts";

export interface LockOptions {
  readonly pollMs?: number;
  /** Called once per poll while another process holds the lock. */
  readonly waiting?: (holderPid: number, waitedMs: number) => void;
}

/** Runs `work` while no other process runs work under the same file. */
export async function withLock<T>(
  path: string,
  work: () => Promise<T>,
  options: LockOptions = {},
): Promise<T> {
  const began = Date.now();
  await mkdir(dirname(path), { recursive: true });
  const self = (await identityOf(process.pid)) ?? { pid: process.pid, startedAt: "" };
  for (;;) {
    if (await tryCreate(path, self)) break;
    const holder = await readHolder(path);
    if (holder === "unreadable" || (holder !== "gone" && !(await isAlive(holder)))) {
      await removeStale(path, holder);
      continue;
    }
    if (holder !== "gone") options.waiting?.(holder.pid, Date.now() - began);
    await delay(options.pollMs ?? 500);
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function tryCreate(path: string, self: ProcessIdentity): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    await file.writeFile(JSON.stringify(self));
    await file.close();
    return true;
  } catch (error) {
    if (systemErrorCode(error) === "EEXIST") return false;
    throw error;
  }
}

async function readHolder(path: string): Promise<ProcessIdentity | "gone" | "unreadable"> {
  // The holder creates the file and fills it in two steps; an empty one gets a moment before it counts as a leftover.
  for (let attempt = 0; attempt < 10; attempt++) {
    try {
      const parsed: unknown = JSON.parse(await readFile(path, "utf8"));
      if (isIdentity(parsed)) return parsed;
    } catch (error) {
      if (systemErrorCode(error) === "ENOENT") return "gone";
      if (!(error instanceof SyntaxError)) throw error;
    }
    await delay(20);
  }
  return "unreadable";
}

/** Only one of several waiters may remove a stale lock, or the second would remove the first one's new lock. */
async function removeStale(path: string, seen: ProcessIdentity | "unreadable"): Promise<void> {
  const guard = `${path}.stale`;
  try {
    await (await open(guard, "wx")).close();
  } catch (error) {
    if (systemErrorCode(error) !== "EEXIST") throw error;
    await delay(100);
    await rm(guard, { force: true });
    return;
  }
  const now = await readHolder(path);
  if (JSON.stringify(now) === JSON.stringify(seen)) await rm(path, { force: true });
  await rm(guard, { force: true });
}

function isIdentity(value: unknown): value is ProcessIdentity {
  return (
    typeof value === "object" &&
    value !== null &&
    "pid" in value &&
    typeof value.pid === "number" &&
    "startedAt" in value &&
    typeof value.startedAt === "string"
  );
}

/**
 * Which process a recorded pid meant. Pids are reused, so a pid alone never decides whether something may be killed:
 * the start time has to match as well.
 */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

export interface ProcessIdentity {
  readonly pid: number;
  /** Linux: boot id and clock ticks since boot (`/proc/PID/stat`, field 22). Elsewhere: what `ps -o lstart=` prints. */
  readonly startedAt: string;
}

const run = promisify(execFile);
let bootId: Promise<string> | undefined;

/** Field 22 of `/proc/PID/stat`. The command name (field 2) may itself hold spaces and parentheses. See proc(5). */
export function startTicksOf(stat: string): string | undefined {
  const afterCommand = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return afterCommand[0] === "Z" ? undefined : afterCommand[19];
}

/** Identity of a live process, or undefined when there is none (a zombie counts as none). */
export async function identityOf(pid: number): Promise<ProcessIdentity | undefined> {
  const startedAt = process.platform === "linux" ? await linuxStart(pid) : await psStart(pid);
  return startedAt === undefined ? undefined : { pid, startedAt };
}

/** Whether the very process that was recorded, not a later one under its pid, is alive. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  return (await identityOf(identity.pid))?.startedAt === identity.startedAt;
}

async function linuxStart(pid: number): Promise<string | undefined> {
  bootId ??= readFile("/proc/sys/kernel/random/boot_id", "utf8").then((text) => text.trim());
  try {
    const ticks = startTicksOf(await readFile(`/proc/${pid}/stat`, "utf8"));
    return ticks === undefined ? undefined : `${await bootId}/${ticks}`;
  } catch {
    return undefined; // ENOENT or ESRCH: there is no such process (any more)
  }
}

async function psStart(pid: number): Promise<string | undefined> {
  try {
    const started = (await run("ps", ["-o", "lstart=", "-p", String(pid)])).stdout.trim();
    return started === "" ? undefined : started;
  } catch {
    return undefined; // ps ends with 1 when there is no such process
  }
}

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";

/** One sentence on what the figures were measured on. `others` are versions that matter, e.g. `Kubernetes v1.37.2`. */
export function describeMachine(others: readonly string[]): string {
  const model = /^model name\s*:\s*(.+)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ?? "unknown CPU";
  const gibibytes = Math.round(totalmem() / 2 ** 30);
  return [
    `${cpus().length} cores (${model.trim()}), ${gibibytes} GiB`,
    `Linux ${release()}`,
    `Node ${process.versions.node}`,
    ...others,
  ].join(", ");
}

/**
 * The two processors of a benchmark: the server and the load on one, the one under measurement on the other.
 * Undefined where the machine has one only, or no `taskset`.
 */
export function processorPair(): { server: number; measured: number } | undefined {
  if (availableParallelism() < 2) return undefined;
  try {
    execFileSync("taskset", ["--version"], { stdio: "ignore" });
  } catch {
    return undefined; // util-linux is missing: everything shares the processors
  }
  return { server: 0, measured: 1 };
}

/** Binds a process, and whatever it starts later, to one processor. */
export function bindToProcessor(pid: number, processor: number): void {
  execFileSync("taskset", ["--all-tasks", "--cpu-list", "--pid", String(processor), String(pid)], {
    stdio: "ignore",
  });
}

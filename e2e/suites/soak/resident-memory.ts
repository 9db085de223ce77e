import { readFile } from "node:fs/promises";
import { percentiles } from "../../shieldx/admission-load.ts";
import type { ShieldxProcess } from "../../shieldx/host.ts";

export interface MemoryGrowth {
  readonly name: string;
  readonly samples: number;
  readonly firstHalfMiB: number;
  readonly secondHalfMiB: number;
  readonly highestMiB: number;
}

/** Resident memory in MiB, as the kernel counts it. Throws when the process is gone. */
async function residentMiB(
  { name, pid }: ShieldxProcess,
  field: "VmRSS" | "VmHWM" = "VmRSS",
): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
  if (kibibytes === undefined) throw new Error(`${name} (pid ${pid}) has ended: it has no memory`);
  return Number(kibibytes) / 1024;
}

/** Resident memory of processes over time. */
export class ResidentMemory {
  readonly #samples: ReadonlyMap<ShieldxProcess, number[]>;

  constructor(processes: readonly ShieldxProcess[]) {
    this.#samples = new Map(processes.map((each) => [each, []]));
  }

  async sample(): Promise<void> {
    for (const [process, samples] of this.#samples) samples.push(await residentMiB(process));
  }

  /** The most that one of them ever had, sampled or not. */
  async peakMiB(): Promise<number> {
    const peaks = [...this.#samples.keys()].map((each) => residentMiB(each, "VmHWM"));
    return Math.max(...(await Promise.all(peaks)));
  }

  /** Of each process, the median of the first half of the samples beside that of the second. */
  growth(): MemoryGrowth[] {
    return [...this.#samples].map(([{ name }, samples]) => {
      const middle = Math.floor(samples.length / 2);
      return {
        name,
        samples: samples.length,
        firstHalfMiB: percentiles(samples.slice(0, middle)).p50,
        secondHalfMiB: percentiles(samples.slice(middle)).p50,
        highestMiB: Math.max(...samples),
      };
    });
  }
}

import { readFileSync } from "node:fs";
import { open, stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Cluster } from "../../e2e/cluster/index.ts";
import { usageOf } from "../lib/measured-process.ts";

export interface AuditCost {
  readonly seconds: number;
  readonly peakRssMiB: number;
  readonly cpuSeconds: number;
  readonly apiServerCpuSeconds: number;
  readonly requests: number;
  /** Of those, the ones that write. */
  readonly writes: number;
  readonly mebibytes: number;
}

/** What an auditor and the API server use from `start` to `stop`. */
export class Meter {
  readonly #cluster: Cluster;
  readonly #pid: number;
  readonly #account: string;
  readonly #isWrite: RegExp;
  readonly #server: number;
  readonly #logStart: number;
  readonly #began = performance.now();
  readonly #cpuMs: number;
  readonly #serverCpuMs: number;
  readonly #readBytes: number;
  readonly #sampling = new AbortController();
  #peakRss = 0;

  private constructor(cluster: Cluster, pid: number, account: string, isWrite: RegExp, logStart: number) {
    this.#isWrite = isWrite;
    this.#cluster = cluster;
    this.#pid = pid;
    this.#account = account;
    this.#server = cluster.apiServers[0]?.pid ?? -1;
    this.#logStart = logStart;
    this.#cpuMs = usageOf(pid).cpuMs;
    this.#serverCpuMs = usageOf(this.#server).cpuMs;
    this.#readBytes = bytesRead(pid);
    // A process that ends is its owner's to tell.
    this.#sample().catch(() => this.#sampling.abort());
  }

  /** @param isWrite what of the audit log's lines counts as a write */
  static async start(
    cluster: Cluster,
    pid: number,
    account: string,
    isWrite = /"verb":"(?:create|update|patch|delete)"/,
  ): Promise<Meter> {
    const { size } = await stat(cluster.auditLog ?? "");
    return new Meter(cluster, pid, account, isWrite, size);
  }

  async #sample(): Promise<void> {
    while (!this.#sampling.signal.aborted) {
      this.#peakRss = Math.max(this.#peakRss, usageOf(this.#pid).rssBytes);
      await delay(50);
    }
  }

  async stop(): Promise<AuditCost> {
    const seconds = (performance.now() - this.#began) / 1000;
    this.#sampling.abort();
    return {
      seconds,
      peakRssMiB: this.#peakRss / 2 ** 20,
      cpuSeconds: (usageOf(this.#pid).cpuMs - this.#cpuMs) / 1000,
      apiServerCpuSeconds: (usageOf(this.#server).cpuMs - this.#serverCpuMs) / 1000,
      mebibytes: (bytesRead(this.#pid) - this.#readBytes) / 2 ** 20,
      ...(await this.#requests()),
    };
  }

  /** The audit log names everybody's requests, once each. */
  async #requests(): Promise<Pick<AuditCost, "requests" | "writes">> {
    const path = this.#cluster.auditLog ?? "";
    const file = await open(path);
    try {
      const { size } = await stat(path);
      const buffer = Buffer.alloc(size - this.#logStart);
      await file.read(buffer, 0, buffer.length, this.#logStart);
      const own = buffer
        .toString("utf8")
        .split("\n")
        .filter((line) => line.includes(`:${this.#account}"`) && !line.includes('"resource":"leases"'));
      const writes = own.filter((line) => this.#isWrite.test(line));
      return { requests: own.length, writes: writes.length };
    } finally {
      await file.close();
    }
  }
}

/** Bytes a process has read from whatever, which is the network but for a few small files (proc(5), `rchar`). */
function bytesRead(pid: number): number {
  return Number(/^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1] ?? Number.NaN);
}

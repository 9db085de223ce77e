/** A component of the control plane: one process that can be started, waited for, stopped and started again. */
import { readFile } from "node:fs/promises";
import { ClusterError } from "../errors.ts";
import type { ProcessHost, ProcessSpec, RunningProcess } from "../types.ts";
import { waitFor } from "../wait.ts";
import type { Endpoint } from "./endpoint.ts";

const readyTimeoutMs = 90_000;

export class Component {
  readonly #host: ProcessHost;
  readonly #spec: ProcessSpec;
  #process: RunningProcess | undefined;
  #logFile = "";

  constructor(host: ProcessHost, spec: ProcessSpec) {
    this.#host = host;
    this.#spec = spec;
  }

  get name(): string {
    return this.#spec.name;
  }

  /** Undefined while it is stopped. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  async start(): Promise<void> {
    if (this.#process !== undefined) return;
    const started = await this.#host.start(this.#spec);
    this.#process = started;
    this.#logFile = started.logFile;
    void started.exited.then(() => {
      if (this.#process === started) this.#process = undefined;
    });
  }

  async stop(signal: NodeJS.Signals = "SIGTERM", graceMs = 10_000): Promise<void> {
    await this.#process?.stop({ signal, graceMs });
    this.#process = undefined;
  }

  /** Waits until the endpoint answers 200 at `path`. Throws `PROCESS_EXITED` as soon as the process has died. */
  async ready(endpoint: Endpoint, path: string): Promise<void> {
    await this.until(`an answer of ${this.name} at ${endpoint.url}${path}`, async () => {
      const { status, body } = await endpoint.get(path);
      if (status !== 200) throw new Error(`status ${status}: ${body.slice(0, 2_000)}`);
      return true;
    });
  }

  /** Waits for a condition that only this component can bring about. */
  async until<T>(what: string, probe: () => Promise<T | undefined | false>): Promise<T> {
    return await waitFor(what, probe, {
      timeoutMs: readyTimeoutMs,
      intervalMs: 25,
      giveUp: async () => {
        if (this.#process === undefined) throw await this.#death();
      },
    });
  }

  async #death(): Promise<ClusterError> {
    const log = await readFile(this.#logFile, "utf8").catch(() => "");
    const tail = log.trimEnd().split("\n").slice(-15).join("\n");
    return new ClusterError("PROCESS_EXITED", `${this.name} ended while it was waited for:\n${tail}`);
  }
}

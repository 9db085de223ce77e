/** The owner's side of a watchdog: starts it, asks it to start and stop processes, and hears of their ends. */
import { type ChildProcess, fork } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ClusterError } from "../errors.ts";
import type { ProcessExit, ProcessHost, ProcessSpec, RunningProcess } from "../types.ts";
import type { Command, FromWatchdog, Request, StateChange } from "./protocol.ts";

export class Watchdog implements ProcessHost {
  readonly #dir: string;
  readonly #child: ChildProcess;
  readonly #gone: Promise<number | null>;
  readonly #pending = new Map<number, PromiseWithResolvers<number | undefined>>();
  readonly #exits = new Map<number, PromiseWithResolvers<ProcessExit>>();
  #nextId = 1;

  /** The folder must hold a state file and a `logs` folder already. */
  constructor(dir: string) {
    this.#dir = dir;
    const log = openSync(join(dir, "logs", "watchdog.log"), "a");
    this.#child = fork(join(import.meta.dirname, "main.ts"), [dir], {
      execArgv: [],
      detached: true,
      cwd: "/",
      stdio: ["ignore", log, log, "ipc"],
    });
    closeSync(log);
    const gone = Promise.withResolvers<number | null>();
    this.#gone = gone.promise;
    this.#child.once("exit", (code) => {
      this.#abandon();
      gone.resolve(code);
    });
    this.#child.once("error", () => {
      this.#abandon();
      gone.resolve(null);
    });
    this.#child.on("message", (message: FromWatchdog) => this.#receive(message));
    // Neither the process nor the idle channel keeps the owner alive: an owner that ends takes its cluster along.
    this.#child.unref();
    this.#child.channel?.unref();
  }

  async start(spec: ProcessSpec): Promise<RunningProcess> {
    const id = this.#nextId++;
    const exit = Promise.withResolvers<ProcessExit>();
    this.#exits.set(id, exit);
    const pid = await this.#ask({ kind: "start", spec }, id).catch((error: unknown) => {
      this.#exits.delete(id);
      throw error;
    });
    if (pid === undefined) throw new ClusterError("PROCESS_EXITED", `${spec.name} was not started`);
    const exited = exit.promise;
    const stop: RunningProcess["stop"] = async ({ signal = "SIGTERM", graceMs = 5_000 } = {}) => {
      await this.#ask({ kind: "stop", name: spec.name, signal, graceMs });
      return await exited;
    };
    return { name: spec.name, pid, logFile: join(this.#dir, "logs", `${spec.name}.log`), exited, stop };
  }

  async remember(change: StateChange): Promise<void> {
    await this.#ask({ kind: "remember", change });
  }

  /** From now on the cluster runs until it is told to end, whatever becomes of this process. */
  async detach(): Promise<void> {
    await this.#ask({ kind: "detach" });
    this.#child.disconnect();
  }

  /** Ends the cluster and waits until everything is gone. Throws when something could not be removed. */
  async shutdown(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.connected) {
      this.#child.ref();
      this.#child.channel?.ref();
      await this.#ask({ kind: "shutdown" });
    }
    await this.#gone;
  }

  /** Resolves when the watchdog has ended, for whatever reason. */
  get gone(): Promise<unknown> {
    return this.#gone;
  }

  async #ask(command: Command, id = this.#nextId++): Promise<number | undefined> {
    if (!this.#child.connected) throw await this.#lost();
    const answer = Promise.withResolvers<number | undefined>();
    this.#pending.set(id, answer);
    this.#child.channel?.ref();
    this.#child.send({ id, command } satisfies Request, (error) => {
      if (error) this.#pending.get(id)?.reject(error);
    });
    try {
      return await answer.promise;
    } finally {
      this.#pending.delete(id);
      if (this.#pending.size === 0 && command.kind !== "shutdown") this.#child.channel?.unref();
    }
  }

  #receive(message: FromWatchdog): void {
    switch (message.kind) {
      case "done":
        this.#pending.get(message.id)?.resolve(message.pid);
        return;
      case "failed":
        this.#pending.get(message.id)?.reject(new ClusterError("COMMAND_FAILED", message.message));
        return;
      case "exited":
        this.#exits.get(message.id)?.resolve({ code: message.code, signal: message.signal });
        this.#exits.delete(message.id);
        return;
      default:
        message satisfies never;
    }
  }

  #abandon(): void {
    const error = new ClusterError("WATCHDOG_GONE", `the watchdog of ${this.#dir} has ended`);
    for (const answer of this.#pending.values()) answer.reject(error);
    for (const exit of this.#exits.values()) exit.resolve({ code: null, signal: "SIGKILL" });
  }

  async #lost(): Promise<ClusterError> {
    const log = await readFile(join(this.#dir, "logs", "watchdog.log"), "utf8").catch(() => "");
    return new ClusterError("WATCHDOG_GONE", `the watchdog of ${this.#dir} has ended. ${log.slice(-2_000)}`);
  }
}

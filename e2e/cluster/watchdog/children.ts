/** The processes of one cluster, as children of the watchdog. */
import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:fs";
import { access, open } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { ClusterError } from "../errors.ts";
import { identityOf, type ProcessIdentity } from "../process-identity.ts";
import { signal as send } from "../teardown.ts";
import type { ProcessExit, ProcessSpec } from "../types.ts";

interface Child {
  readonly pid: number;
  readonly ended: Promise<ProcessExit>;
}

export class Children {
  readonly #logs: string;
  readonly #running = new Map<string, Child>();
  readonly #setpriv: Promise<string | undefined>;

  /** `logs`: the folder for one log file per process. */
  constructor(logs: string) {
    this.#logs = logs;
    this.#setpriv = findSetpriv();
  }

  async start(spec: ProcessSpec, onExit: (pid: number, exit: ProcessExit) => void): Promise<ProcessIdentity> {
    if (this.#running.has(spec.name)) {
      throw new ClusterError("CLUSTER_EXISTS", `a process named ${spec.name} runs already`);
    }
    const log = await open(join(this.#logs, `${spec.name}.log`), "a");
    try {
      const child = await this.#spawn(spec, log.fd);
      const pid = child.pid;
      if (pid === undefined) throw await startFailure(spec, child);
      const { promise, resolve } = Promise.withResolvers<ProcessExit>();
      child.once("exit", (code, signal) => {
        this.#running.delete(spec.name);
        onExit(pid, { code, signal });
        resolve({ code, signal });
      });
      this.#running.set(spec.name, { pid, ended: promise });
      // A process that ended at once has no identity any more; its exit has been or will be reported.
      return (await identityOf(pid)) ?? { pid, startedAt: "" };
    } finally {
      await log.close();
    }
  }

  async #spawn(spec: ProcessSpec, log: number): Promise<ChildProcess> {
    const setpriv = await this.#setpriv;
    const options = {
      stdio: ["ignore", log, log] as ["ignore", number, number],
      env: { ...process.env, ...spec.env },
      ...(spec.cwd === undefined ? {} : { cwd: spec.cwd }),
    };
    // Should the watchdog itself be killed, the kernel kills its children (prctl PR_SET_PDEATHSIG).
    return setpriv === undefined
      ? spawn(spec.command, spec.args, options)
      : spawn(setpriv, ["--pdeathsig", "KILL", "--", spec.command, ...spec.args], options);
  }

  async stop(name: string, signal: NodeJS.Signals, graceMs: number): Promise<void> {
    const child = this.#running.get(name);
    if (child === undefined) return;
    send(child.pid, signal);
    const timer = setTimeout(() => send(child.pid, "SIGKILL"), graceMs);
    await child.ended;
    clearTimeout(timer);
  }

  async killAll(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((name) => this.stop(name, "SIGKILL", 1_000)));
  }
}

async function startFailure(spec: ProcessSpec, child: ChildProcess): Promise<ClusterError> {
  const { promise, resolve } = Promise.withResolvers<Error>();
  child.once("error", resolve);
  const cause = await promise;
  return new ClusterError("PROCESS_EXITED", `${spec.name} cannot be started: ${cause.message}`, { cause });
}

async function findSetpriv(): Promise<string | undefined> {
  if (process.platform !== "linux") return undefined;
  for (const folder of [...(process.env.PATH ?? "").split(delimiter), "/usr/bin"]) {
    const path = join(folder, "setpriv");
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (folder !== "" && isThere) return path;
  }
  return undefined;
}

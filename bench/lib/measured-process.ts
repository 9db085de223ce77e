import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";

export interface ProcessUsage {
  /** User and system time of the threads it has now. */
  readonly cpuMs: number;
  readonly rssBytes: number;
  /** The most it ever had. */
  readonly peakRssBytes: number;
}

export interface MeasuredProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** The processor it may use; default all. */
  readonly processor?: number | undefined;
}

/** A child that reports in JSON lines on its standard output, and whose use of the machine is read from outside. */
export class MeasuredProcess {
  /** Milliseconds of CLOCK_MONOTONIC, which every process of a machine reads alike, just before it was started. */
  readonly startedAt: number;
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #exited: Promise<string>;
  readonly #lines: Record<string, unknown>[] = [];
  #wake = Promise.withResolvers<void>();
  #end: string | undefined;
  #complaints = "";

  constructor(options: MeasuredProcessOptions) {
    const { command, args, env, cwd, processor } = options;
    const pinned =
      processor === undefined
        ? [command, ...args]
        : ["taskset", "--cpu-list", String(processor), command, ...args];
    this.startedAt = Number(process.hrtime.bigint()) / 1e6;
    const child = spawn(pinned[0] ?? command, pinned.slice(1), {
      env: { ...process.env, ...env },
      ...(cwd === undefined ? {} : { cwd }),
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#child = child;
    this.pid = child.pid ?? -1;
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#complaints = (this.#complaints + text).slice(-4_000);
    });
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.startsWith("{")) this.#lines.push(JSON.parse(line) as Record<string, unknown>);
      this.#notify();
    });
    const { promise, resolve } = Promise.withResolvers<string>();
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(`exit ${code ?? signal}`));
    this.#exited = promise;
    void promise.then((end) => {
      this.#end = end;
      this.#notify();
    });
  }

  #notify(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }

  /**
   * The next report whose `event` is this; others stay for who asks for them.
   * @throws Error when the process ends, or the time is over, before it came
   */
  async report(event: string, timeoutMs: number): Promise<Record<string, unknown>> {
    const late = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const at = this.#lines.findIndex((line) => line.event === event);
      const [line] = at < 0 ? [] : this.#lines.splice(at, 1);
      if (line !== undefined) return line;
      if (this.#end !== undefined) throw this.#trouble(`ended (${this.#end}) before it reported ${event}`);
      if (late.aborted) throw this.#trouble(`did not report ${event} within ${timeoutMs} ms`);
      const { promise, resolve } = Promise.withResolvers<void>();
      late.addEventListener("abort", () => resolve(), { once: true });
      await Promise.race([this.#wake.promise, promise]);
    }
  }

  /** Sends one line to its standard input. */
  tell(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  usage(): ProcessUsage {
    return usageOf(this.pid);
  }

  /** Ends it and resolves when it is gone. */
  async stop(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    if (this.#end === undefined) this.#child.kill(signal);
    await this.#exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #trouble(what: string): Error {
    return new Error(`${this.#child.spawnargs.join(" ")} ${what}\n${this.#complaints}`);
  }
}

/** What a running process has used so far. @throws Error when there is none of that id */
export function usageOf(pid: number): ProcessUsage {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kibibytes = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? 0);
  // The first number is the time on a processor in nanoseconds; /proc/PID/stat has steps of 10 ms only.
  let cpuMs = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    cpuMs += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]) / 1e6;
  }
  return {
    cpuMs,
    rssBytes: kibibytes("VmRSS") * 1024,
    peakRssBytes: kibibytes("VmHWM") * 1024,
  };
}

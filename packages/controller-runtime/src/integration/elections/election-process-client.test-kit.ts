import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { waitFor } from "@shieldx/e2e/cluster";
import type { ElectionAccount, ElectionNews, ElectionProcessOptions } from "./election-process.test-kit.ts";

/** The parent's side of a process that stands for election. */
export class ElectionProcess {
  readonly identity: string;
  readonly news: ElectionNews[] = [];
  /** Once it has lost its leadership. */
  account: ElectionAccount | undefined;
  readonly exited: Promise<unknown>;
  readonly #child: ChildProcess;
  readonly #log: Buffer[] = [];

  constructor(kubeconfig: string, options: ElectionProcessOptions) {
    this.identity = options.identity;
    const kit = new URL("./election-process.test-kit.ts", import.meta.url).pathname;
    this.#child = fork(kit, [JSON.stringify(options)], {
      execArgv: [],
      env: { ...process.env, KUBECONFIG: kubeconfig },
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child.stderr?.on("data", (chunk: Buffer) => this.#log.push(chunk));
    this.#child.on("message", (told: ElectionNews | ElectionAccount) => {
      if (typeof told === "string") this.news.push(told);
      else this.account = told;
    });
    this.exited = once(this.#child, "exit");
  }

  /** Resolves when it has told this. */
  async tells(news: ElectionNews, timeoutMs = 120_000): Promise<void> {
    await waitFor(`"${news}" of ${this.identity}`, async () => this.news.includes(news), {
      timeoutMs,
      intervalMs: 20,
      giveUp: () => {
        if (this.#child.exitCode === null || this.news.includes(news)) return;
        throw new Error(
          `${this.identity} has exited with ${this.#child.exitCode}: ${Buffer.concat(this.#log)}`,
        );
      },
    });
  }

  /** Does nothing when the process has ended. */
  stall(stallMs: number): void {
    if (this.#child.connected) this.#child.send({ stallMs }, () => undefined);
  }

  /** Returns when the signal was sent, wall-clock milliseconds. */
  kill(signal: NodeJS.Signals): number {
    const at = Date.now();
    this.#child.kill(signal);
    return at;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGKILL");
    await this.exited;
  }
}

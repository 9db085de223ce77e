import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { Answers, InformersOptions, Question } from "./informers-process.test-kit.ts";

/** The parent's side of the informers' process. */
export class InformersProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  constructor(kubeconfig: string, options: InformersOptions) {
    const kit = new URL("./informers-process.test-kit.ts", import.meta.url).pathname;
    this.#child = fork(kit, [JSON.stringify(options)], {
      execArgv: ["--expose-gc"],
      env: { ...process.env, KUBECONFIG: kubeconfig },
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#exited = once(this.#child, "exit");
  }

  /** One question at a time. */
  async ask<Q extends Question>(question: Q): Promise<Answers[Q]> {
    const answered = new Promise<Answers[Q]>((resolve) => {
      this.#child.once("message", (message: { value: Answers[Q] }) => resolve(message.value));
    });
    this.#child.send(question);
    const died = this.#exited.then(() => Promise.reject(new Error("the informers' process has ended")));
    return Promise.race([answered, died]);
  }

  throwIfEnded(): void {
    if (this.#child.exitCode === null && this.#child.signalCode === null) return;
    throw new Error(
      `the informers' process has ended with ${this.#child.exitCode ?? this.#child.signalCode}`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGKILL");
    await this.#exited;
  }
}

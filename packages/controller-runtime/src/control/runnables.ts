import type { Logger } from "../kubernetes/logger.ts";
import type { Runnable } from "./manager-options.ts";

/** Thrown by `manager.run` when something it runs ended with an error; `cause` is that error. */
export class RunnableError extends Error {
  readonly code = "RUNNABLE_FAILED";
  override readonly name = "RunnableError";
  constructor(runnable: string, cause: unknown) {
    super(`"${runnable}" ended with an error: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

/** Runnables that start and stop together. */
export class RunnableGroup {
  readonly #logger: Logger;
  readonly #abort = new AbortController();
  readonly #onError: (error: Error) => void;
  readonly #waiting: Runnable[] = [];
  readonly #running = new Map<string, Promise<void>>();
  #isStarted = false;

  constructor(logger: Logger, onError: (error: Error) => void) {
    this.#logger = logger;
    this.#onError = onError;
  }

  add(runnable: Runnable): void {
    if (this.#isStarted) this.#start(runnable);
    else this.#waiting.push(runnable);
  }

  start(): void {
    this.#isStarted = true;
    for (const runnable of this.#waiting.splice(0)) this.#start(runnable);
  }

  /** Asks all to end; resolves when they have. */
  async stop(reason: Error): Promise<void> {
    this.#abort.abort(reason);
    await Promise.all(this.#running.values());
  }

  /** Names of those that have not ended. */
  get names(): string[] {
    return [...this.#running.keys()];
  }

  #start(runnable: Runnable): void {
    if (this.#abort.signal.aborted) return;
    this.#running.set(runnable.name, this.#run(runnable));
  }

  async #run(runnable: Runnable): Promise<void> {
    try {
      await runnable.start(this.#abort.signal);
      this.#logger.debug({ runnable: runnable.name }, "runnable ended");
    } catch (error) {
      // Most things that wait reject with the reason of the signal that ended them: that is an orderly end.
      if (this.#abort.signal.aborted && (error === this.#abort.signal.reason || isAbort(error))) return;
      this.#onError(new RunnableError(runnable.name, error));
    } finally {
      this.#running.delete(runnable.name);
    }
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

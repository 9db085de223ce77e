import type { Logger } from "../kubernetes/logger.ts";

/** Resolves when all is well; rejects with what is not. */
export type ReadyCheck = (signal: AbortSignal) => Promise<void> | void;

export interface CheckResult {
  readonly name: string;
  readonly error?: unknown;
}

const checkTimeoutMs = 5_000;

/** The checks behind `/healthz` and `/readyz`. What fails is logged when it begins to, not told to who asks. */
export class HealthChecks {
  readonly #live = new Map<string, ReadyCheck>();
  readonly #ready = new Map<string, ReadyCheck>();
  readonly #failing = new Set<string>();
  readonly #logger: Logger;
  #phase: "starting" | "running" | "stopping" = "starting";

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#ready.set("manager", () => {
      if (this.#phase === "starting") throw new Error("the caches are not filled yet");
      if (this.#phase === "stopping") throw new Error("shutting down");
    });
  }

  addLive(name: string, check: ReadyCheck): void {
    this.#live.set(name, check);
  }

  addReady(name: string, check: ReadyCheck): void {
    this.#ready.set(name, check);
  }

  becomeReady(): void {
    this.#phase = "running";
  }

  stopBeingReady(): void {
    this.#phase = "stopping";
  }

  live(): Promise<CheckResult[]> {
    return this.#run("healthz", this.#live);
  }

  ready(): Promise<CheckResult[]> {
    return this.#run("readyz", this.#ready);
  }

  async #run(endpoint: string, checks: ReadonlyMap<string, ReadyCheck>): Promise<CheckResult[]> {
    const results = await Promise.all([...checks].map(([name, check]) => runCheck(name, check)));
    for (const { name, error } of results) this.#noteChange(`${endpoint}/${name}`, error);
    return results;
  }

  #noteChange(name: string, error: unknown): void {
    if (error === undefined) {
      if (this.#failing.delete(name)) this.#logger.info({ check: name }, "check passes again");
    } else if (!this.#failing.has(name)) {
      this.#failing.add(name);
      const problem = error instanceof Error ? error.message : String(error);
      this.#logger.info({ check: name, problem }, "check fails");
    }
  }
}

async function runCheck(name: string, check: ReadyCheck): Promise<CheckResult> {
  const late = new AbortController();
  const timedOut = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const error = new Error(`the check took longer than ${checkTimeoutMs} ms`);
    late.abort(error);
    timedOut.reject(error);
  }, checkTimeoutMs);
  try {
    await Promise.race([check(late.signal), timedOut.promise]);
    return { name };
  } catch (error) {
    return { name, error: error ?? new Error("failed without saying why") };
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Keeps programs by their source. Compiling takes a process and some tenths of a second, while policies are taken in at
 * once: so whoever takes them in says which sources it wants, asks how far they are, and is told when that changed.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { type CompileOutcome, CompilerUnavailableError, type RegoCompiler } from "../compiler/index.ts";
import { MissingBuiltinsError } from "../evaluate/index.ts";
import type { RegoPlan } from "../plan/index.ts";
import { compileRequestOf, describeProblem, plannedEntrypoint, regoProgram } from "./program.ts";
import { type RegoSource, sourceKey } from "./source.ts";
import type { RegoState } from "./state.ts";

/** The part of a clock that is needed; times in milliseconds. */
export interface Timers<Handle = unknown> {
  monotonicNow(): number;
  setTimeout(callback: () => void, delayMs: number): Handle;
  clearTimeout(handle: Handle | undefined): void;
}

export interface RegoProgramsOptions<Handle> {
  readonly compiler: RegoCompiler;
  readonly clock: Timers<Handle>;
  /** Told each time the compiler could not be run; it will be tried again. */
  readonly onFailure?: (problem: string, retryMs: number) => void;
}

interface Entry {
  readonly source: RegoSource;
  state: RegoState;
  isWanted: boolean;
  /** How often the compiler failed over it. */
  attempts: number;
  /** The compiler works, but not for this source. */
  isToBlame: boolean;
  /** By the monotonic clock; while it is compiling. */
  dueAt: number;
}

/** Sources compiled by one process; others wait for all of them. */
const mostInBatch = 200;
/** Of sources that are not in use: those just tried at apply, and those of a moment ago. */
const mostSpare = 64;
/** So often a source has failed before nobody waits for it any more. */
const patience = 3;
const firstRetryMs = 1_000;
const longestRetryMs = 300_000;

export class RegoPrograms<Handle = unknown> {
  readonly #options: RegoProgramsOptions<Handle>;
  /** In the order of use, the oldest first. */
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<() => void>();
  #isWorking = false;
  #isStopped = false;
  #timer: Handle | undefined;

  constructor(options: RegoProgramsOptions<Handle>) {
    this.#options = options;
  }

  /** Called after some source has come further. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Compiles these, and lets go of those that were wanted before. */
  want(sources: Iterable<RegoSource>): void {
    const wanted = new Set<Entry>();
    for (const source of sources) wanted.add(this.#use(source));
    for (const entry of this.#entries.values()) entry.isWanted = wanted.has(entry);
    this.#dropSpare();
    this.#work();
  }

  /** Of a source that nobody wanted: compiling. */
  readonly state = (source: RegoSource): RegoState =>
    this.#entries.get(sourceKey(source))?.state ?? { kind: "compiling" };

  /** Whether there is an answer to every source that is wanted; not while the compiler itself cannot be run. */
  get isSettled(): boolean {
    return [...this.#entries.values()].every(
      ({ isWanted, state, attempts, isToBlame }) =>
        !isWanted || state.kind !== "compiling" || (isToBlame && attempts >= patience),
    );
  }

  /** Compiles one source now, whether it is wanted or not; gives up waiting after `timeoutMs`. */
  async prepare(source: RegoSource, timeoutMs: number): Promise<RegoState> {
    const underWay = this.#spare().filter((entry) => entry.state.kind === "compiling" && !isGivenUp(entry));
    if (underWay.length >= mostSpare)
      return { kind: "compiling", failure: "too many policies are being compiled" };
    const entry = this.#use(source);
    if (entry.state.kind !== "compiling") return entry.state;
    const { clock } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = clock.setTimeout(resolve, timeoutMs);
    const look = () => {
      if (entry.state.kind !== "compiling" || entry.state.failure !== undefined) resolve();
    };
    this.#listeners.add(look);
    this.#dropSpare();
    this.#work();
    try {
      await promise;
      return entry.state;
    } finally {
      this.#listeners.delete(look);
      clock.clearTimeout(timer);
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#options.clock.clearTimeout(this.#timer);
  }

  #use(source: RegoSource): Entry {
    const key = sourceKey(source);
    const found = this.#entries.get(key);
    // What the compiler failed over is not tried again for nobody: whoever asks once more begins anew.
    const known = found === undefined || isGivenUp(found) ? undefined : found;
    const dueAt = this.#options.clock.monotonicNow();
    const entry: Entry = known ?? {
      source,
      state: { kind: "compiling" },
      isWanted: false,
      attempts: 0,
      isToBlame: false,
      dueAt,
    };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }

  #spare(): Entry[] {
    return [...this.#entries.values()].filter(({ isWanted }) => !isWanted);
  }

  #dropSpare(): void {
    let left = this.#spare().length - mostSpare;
    for (const [key, { isWanted }] of this.#entries) {
      if (left <= 0) return;
      if (isWanted) continue;
      this.#entries.delete(key);
      left--;
    }
  }

  #work(): void {
    if (this.#isWorking || this.#isStopped) return;
    this.#options.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    const compiling = [...this.#entries.values()].filter(
      (entry) => entry.state.kind === "compiling" && !isGivenUp(entry),
    );
    if (compiling.length === 0) return;
    const now = this.#options.clock.monotonicNow();
    const due = compiling.filter(({ dueAt }) => dueAt <= now).slice(0, mostInBatch);
    if (due.length === 0) {
      const nextAt = Math.min(...compiling.map(({ dueAt }) => dueAt));
      this.#timer = this.#options.clock.setTimeout(() => this.#work(), nextAt - now);
      return;
    }
    this.#isWorking = true;
    void this.#compile(due).finally(() => {
      this.#isWorking = false;
      for (const listener of [...this.#listeners]) listener();
      this.#work();
    });
  }

  async #compile(batch: readonly Entry[]): Promise<void> {
    try {
      const [planned, unplanned] = byPlan(batch);
      for (const [entry, plan] of planned) {
        this.#make(entry, plan);
        await nextTurn();
      }
      if (unplanned.length === 0) return;
      const outcomes = await this.#options.compiler.compile(
        unplanned.map(({ source }) => compileRequestOf(source)),
      );
      const failed: [Entry, string][] = [];
      for (const [at, entry] of unplanned.entries()) {
        const outcome = outcomes[at];
        const problem = outcome === undefined ? "it gave no answer" : this.#settle(entry, outcome);
        if (problem !== undefined) failed.push([entry, problem]);
        // A plan of a large policy takes a while to be made ready: requests must not wait for all of them.
        await nextTurn();
      }
      if (failed.length === 0) return;
      await this.#options.compiler.check();
      for (const [entry, problem] of failed) this.#failed([entry], problem, true);
    } catch (error) {
      this.#failed(
        batch.filter(({ state }) => state.kind === "compiling"),
        error instanceof CompilerUnavailableError
          ? error.message
          : `the Rego compiler failed: ${String(error)}`,
        false,
      );
    }
  }

  /** What the compiler itself failed over, if it did. */
  #settle(entry: Entry, outcome: CompileOutcome): string | undefined {
    const { source } = entry;
    if (!outcome.ok) {
      const [first] = outcome.problems;
      if (first?.code.startsWith("compiler_") === true && first.code !== "compiler_panic")
        return first.message;
      const problems = outcome.problems.map((problem) => describeProblem(problem, source));
      entry.state = { kind: "refused", problem: problems.join("; ") || "the compiler refuses it" };
      return undefined;
    }
    this.#make(entry, outcome.plan);
    return undefined;
  }

  #make(entry: Entry, plan: RegoPlan): void {
    try {
      entry.state = { kind: "ready", program: regoProgram(plan, entry.source) };
    } catch (error) {
      if (!(error instanceof MissingBuiltinsError || error instanceof RangeError)) throw error;
      entry.state = { kind: "refused", problem: error.message };
    }
  }

  #failed(entries: readonly Entry[], failure: string, isToBlame: boolean): void {
    const now = this.#options.clock.monotonicNow();
    let soonest = Number.POSITIVE_INFINITY;
    for (const entry of entries) {
      const retryMs = Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(entry.attempts, 16));
      entry.attempts++;
      entry.isToBlame = isToBlame;
      entry.dueAt = now + retryMs;
      entry.state = { kind: "compiling", failure };
      soonest = Math.min(soonest, retryMs);
    }
    if (entries.length > 0) this.#options.onFailure?.(failure, soonest);
  }
}

/** Those that bring a plan with their entrypoint, and those that are to be compiled. */
function byPlan(batch: readonly Entry[]): [[Entry, RegoPlan][], Entry[]] {
  const planned: [Entry, RegoPlan][] = [];
  const unplanned: Entry[] = [];
  for (const entry of batch) {
    const { plan } = entry.source;
    if (plan !== undefined && plannedEntrypoint(plan, entry.source) !== undefined)
      planned.push([entry, plan]);
    else unplanned.push(entry);
  }
  return [planned, unplanned];
}

/** Nobody wants it, and the compiler could not be run for it. */
function isGivenUp({ isWanted, state, attempts }: Entry): boolean {
  return !isWanted && state.kind === "compiling" && attempts > 0;
}

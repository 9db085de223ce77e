/**
 * Time policies have: for one request altogether, and at a stretch. JavaScript has one thread for all requests, so that
 * whoever is judged lets others have their turn between policies, and no policy may hold the thread for long.
 */
export interface TimedContext {
  /** How long this call may take, in milliseconds. Policies it does not get to follow their failurePolicy. */
  readonly deadlineMs?: number;
  /** A clock that never goes back, in milliseconds; `performance.now` unless a test says otherwise. */
  readonly monotonicNow?: () => number;
  /**
   * CPU time this thread has used, in milliseconds, where others wait for it. Left out, nobody does: policies are held
   * against the request in one go, each as long as the deadline allows.
   */
  readonly cpuNow?: () => number;
}

/** Work that lets others have their turn wherever it yields. */
export type Turns<T> = Generator<void, T, void>;

/** After this, others get their turn before the next policy. */
const TURN_MS = 8;
/**
 * A policy that is at it beyond this, and then uses as much CPU time again, is given up. CPU time, for a process whose
 * share of the CPU is used up stands still as long; asked for late, for most requests are over long before.
 */
const STRETCH_MS = 16;

const OUT_OF_TIME = "time ran out; try again";
/** What is the matter with a policy that is given up for that. */
const HELD_TOO_LONG = `it took more than ${2 * STRETCH_MS} ms of CPU on one request, and no other is answered meanwhile: make its rules cheaper`;

export class Timing {
  readonly #clock: () => number;
  readonly #cpuNow: (() => number) | undefined;
  readonly #until: number;
  #turnBegan: number;
  /** By the last look at the clock: whoever takes long looks at it meanwhile. */
  #seen: number;
  #cpuAtStretch: number | undefined;
  #whyLate: "deadline" | "stretch" | undefined;

  constructor({ deadlineMs = Number.POSITIVE_INFINITY, monotonicNow = wallNow, cpuNow }: TimedContext) {
    this.#clock = monotonicNow;
    this.#cpuNow = cpuNow;
    this.#turnBegan = deadlineMs === Number.POSITIVE_INFINITY && cpuNow === undefined ? 0 : monotonicNow();
    this.#seen = this.#turnBegan;
    this.#until = this.#turnBegan + deadlineMs;
  }

  /** Whether the time for an answer is over, or that at a stretch. */
  readonly isLate = (): boolean => {
    if (this.#until === Number.POSITIVE_INFINITY && this.#cpuNow === undefined) return false;
    this.#whyLate = this.#late();
    return this.#whyLate !== undefined;
  };

  #late(): "deadline" | "stretch" | undefined {
    const now = this.#clock();
    this.#seen = now;
    if (now >= this.#until) return "deadline";
    if (this.#cpuNow === undefined || now - this.#turnBegan < STRETCH_MS) return undefined;
    const cpu = this.#cpuNow();
    this.#cpuAtStretch ??= cpu;
    return cpu - this.#cpuAtStretch >= STRETCH_MS ? "stretch" : undefined;
  }

  /** By the clock that time is measured by, in milliseconds. */
  now(): number {
    return this.#clock();
  }

  /** What `isLate` said last. */
  get wasLate(): boolean {
    return this.#whyLate !== undefined;
  }

  /** What is to be said of a policy that time ran out for. */
  get whyLate(): string {
    return this.#whyLate === "stretch" ? HELD_TOO_LONG : OUT_OF_TIME;
  }

  /** Looks at the clock for a policy that may not have: what it took must not count as the next one's. */
  look(): void {
    if (this.#cpuNow !== undefined) this.#seen = this.#clock();
  }

  /** Whether others should have their turn before the next policy. */
  isTurnOver(): boolean {
    return this.#cpuNow !== undefined && this.#seen - this.#turnBegan >= TURN_MS;
  }

  /** Lets others have their turn. */
  *pause(): Turns<void> {
    yield;
    this.#turnBegan = this.#seen = this.#clock();
    this.#cpuAtStretch = undefined;
    this.#whyLate = undefined;
  }
}

/** Does it all in one go. */
export function atOnce<T>(turns: Turns<T>): T {
  for (;;) {
    const step = turns.next();
    if (step.done === true) return step.value;
  }
}

/** @param pause lets others have their turn */
export async function inTurns<T>(turns: Turns<T>, pause: () => Promise<void>): Promise<T> {
  for (;;) {
    const step = turns.next();
    if (step.done === true) return step.value;
    await pause();
  }
}

/** CPU time this thread has used, in milliseconds. */
export function threadCpuNow(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

/** The clock that time is measured by. */
export function monotonicNowOf({ monotonicNow = wallNow }: TimedContext): () => number {
  return monotonicNow;
}

function wallNow(): number {
  return performance.now();
}

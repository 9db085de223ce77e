import type { KubeObject, WatchEvent } from "../kubernetes/objects.ts";
import { Backoff } from "./backoff.ts";
import type { Delta } from "./delta.ts";
import type { ObjectStore } from "./store.ts";

/** Why a list or watch failed, as far as it matters for what comes next. */
export interface Failure {
  /**
   * `expired`: the server no longer (or not yet) knows that version: list again.
   * `unavailable`: no answer, or "not now": try the same again.
   * `rejected`: the server understood and refused (rights, the type is not served): list again, later.
   */
  kind: "expired" | "unavailable" | "rejected";
  retryAfterMs?: number;
}

/** What happened. `request` is the number of the command it answers; answers to older commands are ignored. */
export type ReflectorInput<T extends KubeObject> =
  | { type: "start" }
  /** Of a page that has not ended yet. */
  | { type: "items"; request: number; items: readonly T[] }
  /** The page has ended; its items, those not given before. */
  | {
      type: "page";
      request: number;
      items: readonly T[];
      resourceVersion: string;
      continue?: string | undefined;
    }
  | { type: "listFailed"; request: number; failure: Failure }
  /** The first of a watch, which may be empty, says that the server accepted it. */
  | { type: "events"; request: number; events: readonly WatchEvent<T>[] }
  /** Without a failure: the server ended the watch in order. */
  | { type: "watchEnded"; request: number; failure?: Failure | undefined }
  /** Time has passed; to be given at or after {@link Reflector.deadlineMs}. */
  | { type: "tick" };

/** What to do now. A command replaces the one before it. */
export type ReflectorCommand =
  | { type: "list"; request: number; limit: number | undefined; continue: string | undefined }
  | { type: "watch"; request: number; resourceVersion: string; timeoutSeconds: number }
  /** End that request; its answers will be ignored. */
  | { type: "abort"; request: number };

export interface ReflectorStep<T extends KubeObject> {
  commands: ReflectorCommand[];
  deltas: Delta<T>[];
  /** The deltas belong to the first list. */
  isInitial: boolean;
}

export interface ReflectorSettings {
  /**
   * Objects per list request. Items are taken in as they arrive, so that a page may be large: what is bounded by it is what
   * has to be asked for again after a failure, and how much a server before 1.33, which writes a list in one piece, holds.
   */
  pageSize: number;
  /** Watches ask the server to end them after a random time in this range, so that they spread over servers. */
  watchSeconds: { shortest: number; longest: number };
  /** A watch still open this long after the server should have ended it is dead. */
  endMarginMs: number;
  /** A watch that has delivered a bookmark (the server sends one about each minute) and then nothing for this long is dead. */
  silenceMs: number;
}

export const defaultReflectorSettings: ReflectorSettings = {
  pageSize: 2_000,
  watchSeconds: { shortest: 300, longest: 600 },
  endMarginMs: 30_000,
  silenceMs: 150_000,
};

/** A watch that ends sooner than this, with nothing new, is a sign of trouble and not of order. */
const shortestHealthyWatchMs = 1_000;

type Phase<T extends KubeObject> =
  | { name: "idle" }
  | { name: "waiting"; untilMs: number; then: (nowMs: number, step: ReflectorStep<T>) => void }
  | { name: "listing"; request: number; token: string | undefined }
  | Watching;

interface Watching {
  name: "watching";
  request: number;
  /** When the server accepted it. */
  openedMs: number | undefined;
  /** When the server must have ended it. */
  endMs: number;
  deadlineMs: number;
  progressed: boolean;
  bookmarked: boolean;
}

/**
 * Keeps a store equal to what the API server holds: list, then watch from the version the list was taken at,
 * and list again when the server has forgotten that version.
 *
 * A pure state machine: `step` takes what happened and the time (monotonic milliseconds) and returns what to do
 * and what changed. The version to resume from moves only past events that have been applied, so a stream that
 * breaks anywhere, also inside an event, loses and repeats nothing.
 */
export class Reflector<T extends KubeObject> {
  readonly #store: ObjectStore<T>;
  readonly #settings: ReflectorSettings;
  readonly #random: () => number;
  readonly #backoff: Backoff;
  #phase: Phase<T> = { name: "idle" };
  #request = 0;
  #resourceVersion = "";
  #hasSynced = false;
  /** Continue tokens expired under us during this list: the next attempt takes everything in one answer. */
  #isUnpaged = false;

  constructor(
    store: ObjectStore<T>,
    random: () => number,
    settings: ReflectorSettings = defaultReflectorSettings,
  ) {
    this.#store = store;
    this.#random = random;
    this.#settings = settings;
    this.#backoff = new Backoff(random);
  }

  /** Whether one whole list has been applied. */
  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** The version the store is at. */
  get resourceVersion(): string {
    return this.#resourceVersion;
  }

  /** When the next `tick` is due, monotonic milliseconds. */
  get deadlineMs(): number | undefined {
    if (this.#phase.name === "waiting") return this.#phase.untilMs;
    return this.#phase.name === "watching" ? this.#phase.deadlineMs : undefined;
  }

  step(input: ReflectorInput<T>, nowMs: number): ReflectorStep<T> {
    const step: ReflectorStep<T> = { commands: [], deltas: [], isInitial: !this.#hasSynced };
    const phase = this.#phase;
    switch (input.type) {
      case "start":
        if (phase.name === "idle") this.#list(undefined, step);
        break;
      case "items":
        if (phase.name === "listing" && phase.request === input.request) {
          this.#store.offerPage(input.items, step.deltas);
        }
        break;
      case "page":
        if (phase.name === "listing" && phase.request === input.request) this.#takePage(input, nowMs, step);
        break;
      case "listFailed":
        if (phase.name === "listing" && phase.request === input.request) {
          this.#listFailed(input.failure, phase.token, nowMs);
        }
        break;
      case "events":
        if (phase.name === "watching" && phase.request === input.request)
          this.#takeEvents(input.events, phase, nowMs, step);
        break;
      case "watchEnded":
        if (phase.name === "watching" && phase.request === input.request) {
          this.#watchEnded(input.failure, phase, nowMs, step);
        }
        break;
      case "tick":
        this.#tick(nowMs, step);
        break;
      default:
        input satisfies never;
    }
    return step;
  }

  #tick(nowMs: number, step: ReflectorStep<T>): void {
    const phase = this.#phase;
    if (phase.name === "waiting" && nowMs >= phase.untilMs) {
      phase.then(nowMs, step);
    } else if (phase.name === "watching" && nowMs >= phase.deadlineMs) {
      step.commands.push({ type: "abort", request: phase.request });
      this.#watch(nowMs, step); // half-open: nothing says the server is in trouble, so no wait
    }
  }

  #takePage(
    page: { items: readonly T[]; resourceVersion: string; continue?: string | undefined },
    nowMs: number,
    step: ReflectorStep<T>,
  ): void {
    this.#store.offerPage(page.items, step.deltas);
    if (page.continue !== undefined && page.continue !== "") {
      this.#list(page.continue, step);
      return;
    }
    this.#store.endList(step.deltas);
    this.#resourceVersion = page.resourceVersion;
    this.#hasSynced = true;
    this.#isUnpaged = false;
    this.#watch(nowMs, step);
  }

  #listFailed(failure: Failure, token: string | undefined, nowMs: number): void {
    if (failure.kind === "unavailable") {
      this.#wait(nowMs, failure, (_now, step) => this.#list(token, step));
      return;
    }
    if (failure.kind === "expired" && token !== undefined) this.#isUnpaged = true;
    this.#wait(nowMs, failure, (_now, step) => this.#list(undefined, step));
  }

  #takeEvents(
    events: readonly WatchEvent<T>[],
    phase: Watching,
    nowMs: number,
    step: ReflectorStep<T>,
  ): void {
    phase.openedMs ??= nowMs;
    for (const event of events) {
      if (event.type === "ERROR") {
        step.commands.push({ type: "abort", request: phase.request });
        const isExpired = event.object.code === 410;
        this.#watchEnded({ kind: isExpired ? "expired" : "unavailable" }, phase, nowMs, step);
        return;
      }
      if (event.type === "BOOKMARK") phase.bookmarked = true;
      else if (event.type === "DELETED") this.#store.remove(event.object, step.deltas);
      else this.#store.put(event.object, step.deltas);
      const version = event.object.metadata.resourceVersion;
      if (version !== undefined && version !== this.#resourceVersion) {
        this.#resourceVersion = version;
        phase.progressed = true;
      }
    }
    if (phase.bookmarked) phase.deadlineMs = Math.min(phase.endMs, nowMs + this.#settings.silenceMs);
  }

  #watchEnded(failure: Failure | undefined, phase: Watching, nowMs: number, step: ReflectorStep<T>): void {
    const { openedMs, progressed } = phase;
    const isHealthy = progressed || (openedMs !== undefined && nowMs - openedMs >= shortestHealthyWatchMs);
    if (isHealthy) this.#backoff.reset();
    const mustList = failure !== undefined && failure.kind !== "unavailable";
    const mayGoOn = failure === undefined || failure.kind === "expired" || failure.retryAfterMs === undefined;
    const next = (now: number, next_: ReflectorStep<T>): void =>
      mustList ? this.#list(undefined, next_) : this.#watch(now, next_);
    if (mayGoOn && (isHealthy || (failure?.kind === "expired" && this.#backoff.failures === 0))) {
      if (!isHealthy) this.#backoff.next(); // once at once; a server that answers 410 to each fresh list is waited for
      next(nowMs, step);
      return;
    }
    this.#wait(nowMs, failure, next);
  }

  #wait(
    nowMs: number,
    failure: Failure | undefined,
    then: (nowMs: number, step: ReflectorStep<T>) => void,
  ): void {
    this.#phase = { name: "waiting", untilMs: nowMs + this.#backoff.next(failure?.retryAfterMs), then };
  }

  #list(token: string | undefined, step: ReflectorStep<T>): void {
    if (token === undefined) this.#store.beginList();
    const request = ++this.#request;
    this.#phase = { name: "listing", request, token };
    step.commands.push({
      type: "list",
      request,
      limit: this.#isUnpaged ? undefined : this.#settings.pageSize,
      continue: token,
    });
  }

  #watch(nowMs: number, step: ReflectorStep<T>): void {
    const { shortest, longest } = this.#settings.watchSeconds;
    const request = ++this.#request;
    const timeoutSeconds = Math.floor(shortest + this.#random() * (longest - shortest + 1));
    const endMs = nowMs + timeoutSeconds * 1000 + this.#settings.endMarginMs;
    this.#phase = {
      name: "watching",
      request,
      openedMs: undefined,
      endMs,
      deadlineMs: endMs,
      progressed: false,
      bookmarked: false,
    };
    step.commands.push({ type: "watch", request, resourceVersion: this.#resourceVersion, timeoutSeconds });
  }
}

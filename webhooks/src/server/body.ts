import type { IncomingMessage } from "node:http";
import { HttpError } from "./http-error.ts";
import { Room } from "./room.ts";

export interface BodyLimits {
  /** Largest body, in bytes. */
  readonly largestBytes: number;
  /** All bodies being held at once, in bytes; without those that are large. */
  readonly heldBytes: number;
  /** A body of more bytes is large: one such is held at a time. Default: none is. */
  readonly largeFromBytes?: number;
  /** A body that comes more slowly than this after `graceMs` is given up, in bytes per second. */
  readonly slowestBytesPerSecond: number;
  /** The same of one that is large, and that others may wait for. */
  readonly slowestLargeBytesPerSecond?: number;
  readonly graceMs: number;
}

/**
 * An AdmissionReview carries the object twice on UPDATE, and a request to an API server has at most 3 MiB. But Go writes `<`,
 * `>`, `&` and control characters as six (encoding/json), and `managedFields` name every field once more. What is larger
 * still, as where a schema's defaults make much of little, is refused without having been read.
 */
export const defaultBodyLimits = {
  largestBytes: 40 * 1024 * 1024,
  heldBytes: 64 * 1024 * 1024,
  largeFromBytes: 1024 * 1024,
  slowestBytesPerSecond: 16 * 1024,
  slowestLargeBytesPerSecond: 1024 * 1024,
  graceMs: 3_000,
} as const satisfies BodyLimits;

/** So much of a body is read before it is given up: what a review is about comes before its objects. */
const headBytes = 64 * 1024;

/** Bytes held by the requests of one process. */
export class BodyBudget {
  readonly limits: BodyLimits;
  /** Of bodies that are not large. */
  readonly small: Room;
  /** For one that is. */
  readonly large: Room;

  constructor(limits: BodyLimits = defaultBodyLimits) {
    this.limits = limits;
    this.small = new Room(limits.heldBytes);
    this.large = new Room(limits.largestBytes);
  }

  get heldBytes(): number {
    return this.small.held + this.large.held;
  }

  isLarge(bytes: number): boolean {
    return bytes > (this.limits.largeFromBytes ?? Number.POSITIVE_INFINITY);
  }

  /** @returns whether there was room */
  take(bytes: number): boolean {
    return this.small.take(bytes);
  }

  give(bytes: number): void {
    this.small.give(bytes);
  }
}

/** A request's body, and `release` to be called when neither it nor what was made of it is needed any more. */
export interface HeldBody {
  readonly bytes: Buffer;
  /** It had to be alone. */
  readonly isLarge: boolean;
  /** Room for so much more, for what is made of it; one that is large has it already. @throws HttpError 503 */
  holdMore(bytes: number): Promise<void>;
  release(): void;
}

/** What of the budget one request holds. */
class Share {
  readonly #budget: BodyBudget;
  readonly #waitUntil: number;
  #gone: AbortController | undefined;
  #small = 0;
  #large = 0;

  constructor(budget: BodyBudget, waitMs: number) {
    this.#budget = budget;
    this.#waitUntil = performance.now() + waitMs;
  }

  get isLarge(): boolean {
    return this.#large > 0;
  }

  /** At once, or not at all. */
  take(bytes: number): boolean {
    if (this.isLarge) return true;
    if (!this.#budget.small.take(bytes)) return false;
    this.#small += bytes;
    return true;
  }

  /** Resolves to whether there was room in time. */
  async wait(bytes: number): Promise<boolean> {
    if (this.isLarge) return true;
    if (!(await this.#waitIn(this.#budget.small, bytes))) return false;
    this.#small += bytes;
    return true;
  }

  /** Takes the place of one that is large, and gives up what it held as another. Resolves to whether it became free in time. */
  async becomeLarge(): Promise<boolean> {
    const { largestBytes } = this.#budget.limits;
    if (!(await this.#waitIn(this.#budget.large, largestBytes))) return false;
    this.#large = largestBytes;
    this.#budget.small.give(this.#small);
    this.#small = 0;
    return true;
  }

  release(): void {
    this.#gone?.abort();
    const [small, large] = [this.#small, this.#large];
    this.#small = 0;
    this.#large = 0;
    if (small > 0) this.#budget.small.give(small);
    if (large > 0) this.#budget.large.give(large);
  }

  async #waitIn(room: Room, bytes: number): Promise<boolean> {
    if (room.take(bytes)) return true;
    this.#gone ??= new AbortController();
    const { signal } = this.#gone;
    const isAdmitted = await room.wait(bytes, this.#waitUntil - performance.now(), signal);
    if (!isAdmitted || !signal.aborted) return isAdmitted;
    // It was let in while it went.
    room.give(bytes);
    return false;
  }
}

/**
 * Reads a request's body within the budget.
 * @param waitMs for room, where there is none; by default that is an error at once
 * @throws HttpError 413, 408 or 503, all of which end the connection and hold the body's beginning; 400 when the sender
 * went away half-way
 */
export function readBody(request: IncomingMessage, budget: BodyBudget, waitMs = 0): Promise<HeldBody> {
  return new Reading(request, budget, waitMs).body;
}

class Reading {
  readonly body: Promise<HeldBody>;
  readonly #request: IncomingMessage;
  readonly #budget: BodyBudget;
  readonly #share: Share;
  readonly #announced: number | undefined;
  readonly #settle: PromiseWithResolvers<HeldBody>;
  readonly #pace: NodeJS.Timeout;
  #chunks: Buffer[] = [];
  /** Of a large body whose length is known: read into one piece at once, so that it never is in memory twice. */
  #whole: Buffer | undefined;
  #read = 0;
  /** Less the time in which it was not let. */
  #readingMs = 0;
  #resumedAt = performance.now();
  #isWaiting = false;
  #isOver = false;

  constructor(request: IncomingMessage, budget: BodyBudget, waitMs: number) {
    this.#request = request;
    this.#budget = budget;
    this.#share = new Share(budget, waitMs);
    this.#settle = Promise.withResolvers();
    this.body = this.#settle.promise;
    const length = request.headers["content-length"];
    this.#announced = length === undefined ? undefined : Number(length);
    const everyMs = Math.max(50, Math.min(1_000, budget.limits.graceMs));
    this.#pace = setInterval(() => this.#checkPace(), everyMs);
    request.on("data", this.#onData).on("end", this.#onEnd).on("error", this.#onGone);
    request.on("close", this.#onGone);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#keep(chunk);
    const { limits } = this.#budget;
    const least = Math.max(this.#announced ?? 0, this.#read);
    const hasHead = this.#read >= headBytes;
    if (least > limits.largestBytes) {
      if (hasHead || this.#read > limits.largestBytes) this.#fail(tooLarge(least, limits.largestBytes));
    } else if (hasHead && this.#budget.isLarge(least) && !this.#share.isLarge) {
      this.#waitFor(this.#share.becomeLarge());
    } else if (!this.#share.take(chunk.length)) {
      this.#waitFor(this.#share.wait(chunk.length));
    }
  };

  readonly #onEnd = (): void => {
    this.#end();
    this.#settle.resolve({
      bytes: this.#whole ?? joined(this.#chunks, this.#read),
      isLarge: this.#share.isLarge,
      holdMore: async (bytes) => {
        if (!this.#share.take(bytes) && !(await this.#share.wait(bytes))) throw noRoom(false);
      },
      release: () => this.#share.release(),
    });
    this.#chunks = [];
    this.#whole = undefined;
  };

  readonly #onGone = (): void => {
    const message = "the request ended before its body was complete";
    this.#fail(new HttpError("BadRequest", message, { mustClose: true }));
  };

  #keep(chunk: Buffer): void {
    if (this.#whole === undefined) this.#chunks.push(chunk);
    else chunk.copy(this.#whole, this.#read);
    this.#read += chunk.length;
  }

  #waitFor(room: Promise<boolean>): void {
    this.#request.pause();
    this.#isWaiting = true;
    this.#readingMs += performance.now() - this.#resumedAt;
    void room.then((isThere) => {
      if (this.#isOver) return;
      this.#isWaiting = false;
      this.#resumedAt = performance.now();
      if (!isThere) {
        const bytes = Math.max(this.#announced ?? 0, this.#read);
        this.#fail(noRoom(this.#budget.isLarge(bytes)));
        return;
      }
      if (this.#share.isLarge && this.#announced !== undefined) this.#makeWhole(this.#announced);
      this.#request.resume();
    });
  }

  #makeWhole(bytes: number): void {
    if (this.#whole !== undefined) return;
    this.#whole = Buffer.allocUnsafeSlow(bytes);
    joined(this.#chunks, this.#read).copy(this.#whole);
    this.#chunks = [];
  }

  #checkPace(): void {
    if (this.#isWaiting) return;
    const { graceMs, slowestBytesPerSecond, slowestLargeBytesPerSecond } = this.#budget.limits;
    const slowest = this.#share.isLarge
      ? (slowestLargeBytesPerSecond ?? slowestBytesPerSecond)
      : slowestBytesPerSecond;
    const lateMs = this.#readingMs + performance.now() - this.#resumedAt - graceMs;
    if (lateMs <= 0 || this.#read >= (lateMs / 1000) * slowest) return;
    const message = `the body comes more slowly than ${slowest} bytes/s`;
    this.#fail(new HttpError("Timeout", message, { mustClose: true }));
  }

  #fail(error: HttpError): void {
    if (this.#isOver) return;
    this.#end();
    error.head = joined(this.#whole === undefined ? this.#chunks : [this.#whole], this.#read);
    this.#chunks = [];
    this.#whole = undefined;
    this.#share.release();
    this.#settle.reject(error);
  }

  #end(): void {
    this.#isOver = true;
    clearInterval(this.#pace);
    this.#request.off("data", this.#onData).off("end", this.#onEnd);
    this.#request.off("error", this.#onGone).off("close", this.#onGone);
  }
}

function joined(chunks: readonly Buffer[], length: number): Buffer {
  const [first] = chunks;
  return chunks.length === 1 && first !== undefined
    ? first.subarray(0, length)
    : Buffer.concat(chunks, length);
}

function noRoom(isLarge: boolean): HttpError {
  const which = isLarge ? "large requests" : "requests";
  return new HttpError("Overloaded", `too many ${which} at once; try again`, { mustClose: true });
}

function tooLarge(bytes: number, largest: number): HttpError {
  return new HttpError(
    "RequestEntityTooLarge",
    `the request is ${bytes} bytes or more, at most ${largest} are judged; make the object smaller`,
    { mustClose: true },
  );
}

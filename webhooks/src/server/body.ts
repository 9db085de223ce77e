import type { IncomingMessage } from "node:http";
import { HttpError } from "./http-error.ts";

export interface BodyLimits {
  /** Largest body, in bytes. */
  readonly largestBytes: number;
  /** All bodies being held at once, in bytes. */
  readonly heldBytes: number;
  /** A body that comes more slowly than this after `graceMs` is given up, in bytes per second. */
  readonly slowestBytesPerSecond: number;
  readonly graceMs: number;
}

/**
 * An AdmissionReview carries the object twice on UPDATE. A stored object has at most 1.5 MiB (etcd's limit), a request
 * to the API server 3 MiB; twice that and the envelope fit well into 8 MiB.
 */
export const defaultBodyLimits: BodyLimits = {
  largestBytes: 8 * 1024 * 1024,
  heldBytes: 64 * 1024 * 1024,
  slowestBytesPerSecond: 16 * 1024,
  graceMs: 3_000,
};

/** Bytes held by the requests of one process; a request that would exceed them is turned away, not queued. */
export class BodyBudget {
  readonly limits: BodyLimits;
  #heldBytes = 0;

  constructor(limits: BodyLimits = defaultBodyLimits) {
    this.limits = limits;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** @returns whether there was room */
  take(bytes: number): boolean {
    if (this.#heldBytes + bytes > this.limits.heldBytes) return false;
    this.#heldBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#heldBytes -= bytes;
  }
}

/** A request's body, and `release` to be called when it is not needed any more. */
export interface HeldBody {
  readonly bytes: Buffer;
  release(): void;
}

/**
 * Reads a request's body within the budget.
 * @throws HttpError 413, 408 or 503, all of which end the connection; 400 when the sender went away half-way
 */
export function readBody(request: IncomingMessage, budget: BodyBudget): Promise<HeldBody> {
  const { limits } = budget;
  const announced = Number(request.headers["content-length"] ?? 0);
  if (announced > limits.largestBytes) return Promise.reject(tooLarge(announced, limits.largestBytes));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const startedAt = performance.now();
    let held = 0;
    const end = (): void => {
      clearInterval(pace);
      request.off("data", onData).off("end", onEnd).off("error", onGone).off("close", onGone);
    };
    const release = (): void => {
      budget.give(held);
      held = 0;
    };
    const fail = (error: HttpError): void => {
      end();
      release();
      reject(error);
    };
    const onData = (chunk: Buffer): void => {
      const total = held + chunk.length;
      if (total > limits.largestBytes) {
        fail(tooLarge(total, limits.largestBytes));
        return;
      }
      if (!budget.take(chunk.length)) {
        fail(
          new HttpError("Overloaded", "too many requests are being read at once; try again", {
            mustClose: true,
          }),
        );
        return;
      }
      held = total;
      chunks.push(chunk);
    };
    const onEnd = (): void => {
      end();
      resolve({
        bytes: chunks.length === 1 ? (chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(chunks, held),
        release,
      });
    };
    const onGone = (): void => {
      fail(
        new HttpError("BadRequest", "the request ended before its body was complete", { mustClose: true }),
      );
    };
    const pace = setInterval(
      () => {
        const lateMs = performance.now() - startedAt - limits.graceMs;
        if (lateMs <= 0 || held >= (lateMs / 1000) * limits.slowestBytesPerSecond) return;
        fail(
          new HttpError(
            "Timeout",
            `the body comes more slowly than ${limits.slowestBytesPerSecond} bytes/s`,
            {
              mustClose: true,
            },
          ),
        );
      },
      Math.max(50, Math.min(1_000, limits.graceMs)),
    );
    request.on("data", onData).on("end", onEnd).on("error", onGone).on("close", onGone);
  });
}

function tooLarge(bytes: number, largest: number): HttpError {
  return new HttpError(
    "RequestEntityTooLarge",
    `the request is too large: ${bytes} bytes or more, at most ${largest} are taken`,
    { mustClose: true },
  );
}

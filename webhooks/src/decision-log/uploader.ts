import { type Clock, delay, type Logger } from "@shieldx/controller-runtime";
import type { EventBuffer } from "./buffer.ts";
import type { Chunk, Chunks } from "./chunks.ts";
import type { DecisionLogMetrics } from "./metrics.ts";
import type { Sent } from "./upload.ts";

export interface UploaderParts {
  readonly buffer: EventBuffer;
  readonly chunks: Chunks;
  readonly send: (body: Buffer, signal: AbortSignal) => Promise<Sent>;
  /** Between batches while there is less than one to send. */
  readonly intervalMs: number;
  /** Longest pause after failures. */
  readonly longestRetryMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly metrics: DecisionLogMetrics;
  readonly logger: Logger;
}

const firstRetryMs = 100;

/** Sends what the buffer holds, one batch after the other, each again until it is taken: order is kept. */
export class Uploader {
  readonly #parts: UploaderParts;
  #wake = Promise.withResolvers<void>();
  #isAwake = false;

  constructor(parts: UploaderParts) {
    this.#parts = parts;
  }

  /** To be called when the buffer has grown: a full batch does not wait for the interval. */
  grown(): void {
    const { buffer, chunks } = this.#parts;
    if (this.#isAwake || buffer.bytes < chunks.guessBytes) return;
    this.#isAwake = true;
    this.#wake.resolve();
  }

  /** Until `stop`; then what is left is sent until `hurry`, and what is left after that is counted as lost. */
  async run(stop: AbortSignal, hurry: AbortSignal): Promise<void> {
    const { clock, intervalMs } = this.#parts;
    while (!stop.aborted) {
      const pause = new AbortController();
      const onStop = (): void => pause.abort(stop.reason);
      stop.addEventListener("abort", onStop, { once: true });
      void this.#wake.promise.then(() => pause.abort(new Error("a batch is full")));
      await delay(clock, intervalMs, pause.signal).catch(() => undefined);
      stop.removeEventListener("abort", onStop);
      if (this.#isAwake) {
        this.#wake = Promise.withResolvers<void>();
        this.#isAwake = false;
      }
      await this.#sendAll(hurry);
    }
    const { buffer, metrics } = this.#parts;
    if (buffer.size > 0) metrics.lost.inc({ reason: "shutdown" }, buffer.size);
  }

  async #sendAll(hurry: AbortSignal): Promise<void> {
    for (;;) {
      const chunk = await this.#parts.chunks.next();
      if (chunk === undefined) break;
      if (!(await this.#deliver(chunk, hurry))) return;
    }
    this.#parts.metrics.waitingBytes.set(0);
  }

  /** @returns false when it was given up because of `hurry` */
  async #deliver(chunk: Chunk, hurry: AbortSignal): Promise<boolean> {
    const { send, clock, random, metrics, logger, longestRetryMs, buffer, chunks } = this.#parts;
    let failures = 0;
    while (!hurry.aborted) {
      const sent = await send(chunk.body, hurry);
      metrics.uploads.inc({ result: sent.kind === "taken" ? "sent" : "failed" });
      metrics.waitingBytes.set(buffer.bytes);
      if (sent.kind === "taken") {
        if (failures > 0) logger.info({}, "the decision log is taken again");
        return true;
      }
      if (sent.kind === "tooLarge") {
        if (!chunks.shrink(chunk)) metrics.lost.inc({ reason: "refused" });
        return true;
      }
      if (failures === 0) logger.warn({}, `the decision log cannot be sent: ${sent.why}; trying again`);
      failures++;
      const longest = Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(failures, 30));
      await delay(clock, longest * (0.5 + random() / 2), hurry).catch(() => undefined);
    }
    buffer.putBack(chunk.events);
    return false;
  }
}

import type { ReadableSpan, SpanExporter, SpanProcessor } from "@opentelemetry/sdk-trace";
import type { TracingSettings } from "./settings.ts";

/** What became of spans: sent, not wanted for want of room, or refused or lost on the way to the collector. */
export type SpanFate = "exported" | "dropped" | "failed";

/** SUCCESS of OpenTelemetry's ExportResultCode. */
const success = 0;
/** Bit of W3C's trace flags. */
const sampledFlag = 1;

/**
 * Holds ended spans and sends them in batches, one at a time. Its memory is bounded: when the collector is away, what
 * does not fit is dropped and counted. Never throws and never keeps the process alive.
 */
export class SpanQueue implements SpanProcessor {
  readonly #exporter: SpanExporter;
  readonly #limits: TracingSettings["queue"];
  readonly #count: (fate: SpanFate, spans: number) => void;
  readonly #onTrouble: (error: Error | undefined) => void;
  #waiting: ReadableSpan[] = [];
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #isShut = false;

  constructor(
    exporter: SpanExporter,
    limits: TracingSettings["queue"],
    tell: {
      readonly count: (fate: SpanFate, spans: number) => void;
      /** After each batch: why it failed, or undefined when it arrived. */
      readonly onTrouble: (error: Error | undefined) => void;
    },
  ) {
    this.#exporter = exporter;
    this.#limits = limits;
    this.#count = tell.count;
    this.#onTrouble = tell.onTrouble;
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if (this.#isShut || (span.spanContext().traceFlags & sampledFlag) === 0) return;
    if (this.#waiting.length >= this.#limits.most) {
      this.#count("dropped", 1);
      return;
    }
    this.#waiting.push(span);
    if (this.#waiting.length >= this.#limits.batch) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), this.#limits.delayMs).unref();
  }

  async forceFlush(): Promise<void> {
    while (this.#waiting.length > 0 || this.#sending !== undefined) {
      this.#send();
      await this.#sending;
    }
  }

  async shutdown(): Promise<void> {
    this.#isShut = true;
    await this.forceFlush();
    await this.#exporter.shutdown();
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#sending !== undefined || this.#waiting.length === 0) return;
    const batch = this.#waiting.slice(0, this.#limits.batch);
    this.#waiting = this.#waiting.slice(this.#limits.batch);
    this.#sending = this.#export(batch).then(() => {
      this.#sending = undefined;
      if (this.#waiting.length >= this.#limits.batch) this.#send();
      else if (this.#waiting.length > 0)
        this.#timer ??= setTimeout(() => this.#send(), this.#limits.delayMs).unref();
    });
  }

  async #export(batch: ReadableSpan[]): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<Error | undefined>();
    const { timeoutMs } = this.#limits;
    const late = setTimeout(() => resolve(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs).unref();
    try {
      this.#exporter.export(batch, ({ code, error }) =>
        resolve(code === success ? undefined : (error ?? new Error("the collector refused the spans"))),
      );
    } catch (error) {
      resolve(error instanceof Error ? error : new Error(String(error)));
    }
    const trouble = await promise;
    clearTimeout(late);
    this.#count(trouble === undefined ? "exported" : "failed", batch.length);
    this.#onTrouble(trouble);
  }
}

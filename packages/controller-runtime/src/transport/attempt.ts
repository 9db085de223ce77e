import type { RequestDescription } from "./api-error.ts";
import { asTransportError } from "./network-errors.ts";

/** What an attempt needs to know of the request. */
export interface AttemptedRequest {
  description: RequestDescription;
  signal?: AbortSignal | undefined;
  /** See `CallOptions.beforeSend`. */
  beforeSend?: (() => void) | undefined;
  timeoutMs: number;
}

/** One try of a request: its deadline joined with the caller's signal, and which of the two ended it. */
export class Attempt {
  readonly #controller = new AbortController();
  readonly #request: AttemptedRequest;
  readonly #onAbort = (): void => this.#controller.abort(this.#request.signal?.reason);
  #timer: NodeJS.Timeout | undefined;

  constructor(request: AttemptedRequest) {
    this.#request = request;
    request.signal?.addEventListener("abort", this.#onAbort, { once: true });
    this.#timer = setTimeout(
      () => this.#controller.abort(new DeadlineExceeded(request.timeoutMs)),
      request.timeoutMs,
    );
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The caller's check, if there is one; what it throws is also what {@link explain} names. */
  get beforeSend(): (() => void) | undefined {
    const { beforeSend } = this.#request;
    if (beforeSend === undefined) return undefined;
    return () => {
      try {
        beforeSend();
      } catch (error) {
        this.#controller.abort(error);
        throw error;
      }
    };
  }

  abort(reason: Error): void {
    this.#controller.abort(reason);
  }

  /** Something arrived: the time begins again. */
  restartTimer(): void {
    this.#timer?.refresh();
  }

  stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  end(): void {
    this.stopTimer();
    this.#request.signal?.removeEventListener("abort", this.#onAbort);
  }

  /** The error to throw: the caller's own reason when it was the caller who ended it. */
  explain(error: unknown): unknown {
    if (!this.#controller.signal.aborted) return asTransportError(error, this.#request.description);
    const reason: unknown = this.#controller.signal.reason;
    return reason instanceof DeadlineExceeded ? asTransportError(reason, this.#request.description) : reason;
  }
}

/** Internal: the attempt's own deadline, told apart from a caller's abort. */
export class DeadlineExceeded extends Error {
  override readonly name = "DeadlineExceeded";

  constructor(timeoutMs: number) {
    super(`no complete answer within ${timeoutMs} ms`);
  }
}

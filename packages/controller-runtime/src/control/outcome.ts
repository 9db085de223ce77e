/** What a reconcile asks for. Nothing (`undefined`) means: done until something changes. */
export interface ReconcileResult {
  /** Reconcile the same key again after this many milliseconds, even if nothing changes. */
  readonly requeueAfterMs?: number;
  /** Reconcile again after the key's back-off, without counting an error (a conflict to be retried quietly). */
  readonly requeue?: boolean;
}

/**
 * Thrown by a reconciler when trying again cannot help before the object changes (an invalid spec). Counted as
 * an error, not retried.
 */
export class TerminalError extends Error {
  readonly code = "TERMINAL";
  override readonly name = "TerminalError";
}

/** Stands for something thrown by a reconciler that is not an Error: a bug in it, counted as a panic. */
export class ReconcilePanicError extends Error {
  readonly code = "RECONCILE_PANIC";
  override readonly name = "ReconcilePanicError";
  constructor(thrown: unknown) {
    super(
      `the reconciler threw ${describe(thrown)} instead of an Error; throw an Error so that its cause is kept`,
      {
        cause: thrown,
      },
    );
  }
}

/** The reconcile took longer than the controller's `reconcileTimeoutMs` and its signal was aborted. */
export class ReconcileTimeoutError extends Error {
  readonly code = "RECONCILE_TIMEOUT";
  override readonly name = "ReconcileTimeoutError";
  constructor(controller: string, timeoutMs: number) {
    super(`a reconcile of controller "${controller}" exceeded its timeout of ${timeoutMs} ms`);
  }
}

/** How one reconcile ended. */
export type Outcome =
  | { readonly kind: "success" }
  | { readonly kind: "requeueAfter"; readonly afterMs: number }
  | { readonly kind: "requeue" }
  | { readonly kind: "error"; readonly error: Error }
  | { readonly kind: "terminal"; readonly error: Error }
  | { readonly kind: "panic"; readonly error: Error };

const success: Outcome = { kind: "success" };
const requeue: Outcome = { kind: "requeue" };

/** Reads a reconciler's return value. A `requeueAfterMs` of 0 or less is a success, as in controller-runtime. */
// biome-ignore lint/suspicious/noConfusingVoidType: what a reconciler that returns nothing resolves to
export function outcomeOfResult(result: ReconcileResult | null | void): Outcome {
  if (result === undefined || result === null) return success;
  if (result.requeueAfterMs !== undefined && result.requeueAfterMs > 0) {
    return { kind: "requeueAfter", afterMs: result.requeueAfterMs };
  }
  return result.requeue === true ? requeue : success;
}

/** Reads what a reconciler threw. */
export function outcomeOfThrown(thrown: unknown): Outcome {
  if (!(thrown instanceof Error)) return { kind: "panic", error: new ReconcilePanicError(thrown) };
  return { kind: isTerminal(thrown) ? "terminal" : "error", error: thrown };
}

/** Whether the error, or one that it wraps, is terminal. */
function isTerminal(error: Error): boolean {
  const seen = new Set<unknown>();
  for (let cause: unknown = error; cause instanceof Error && !seen.has(cause); cause = cause.cause) {
    if (cause instanceof TerminalError) return true;
    seen.add(cause);
  }
  return false;
}

function describe(thrown: unknown): string {
  return thrown === null || typeof thrown !== "object" ? String(thrown) : "an object";
}

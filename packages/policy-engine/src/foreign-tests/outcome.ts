/** What came of a case in a format of others. */
export interface ForeignOutcome {
  /** The policy, or template and constraint, that it is about. */
  readonly policy: string;
  readonly name: string;
  /**
   * - `passed`, `failed`: it came to a verdict, which is the expected one or not.
   * - `error`: it came to none; `unsupported` says that it needs what is not carried over.
   * - `skipped`: the test says that it is to be left out.
   */
  readonly result: "passed" | "failed" | "error" | "skipped";
  /** What ShieldX has not that the case needs, in a few words that are the same for all such cases; else undefined. */
  readonly unsupported?: string | undefined;
  readonly isMatched: boolean;
  /** For people: what was expected and what came; for a case that passed, what came. */
  readonly message: string;
  readonly tookMs: number;
}

/** A case without the time it took. */
export type Said = Omit<ForeignOutcome, "policy" | "name" | "tookMs">;

export const passed = (message: string, isMatched: boolean): Said => ({
  result: "passed",
  message,
  isMatched,
});
export const failed = (message: string, isMatched: boolean): Said => ({
  result: "failed",
  message,
  isMatched,
});
export const noVerdict = (message: string, unsupported?: string): Said => ({
  result: "error",
  message,
  isMatched: false,
  unsupported,
});
export const skipped: Said = {
  result: "skipped",
  message: "the test says that it is to be skipped",
  isMatched: false,
};

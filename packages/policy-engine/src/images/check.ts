/** What engine images has to find out outside before it can judge, and what comes of it. */
import type { ImageReference } from "./reference.ts";
import type { ImageRule, Registry } from "./rules.ts";

/** Whether one image keeps one rule. */
export interface ImageCheck {
  readonly kind: "image";
  /** Equal for equal questions, whichever policy has them. */
  readonly key: string;
  readonly image: ImageReference;
  readonly rule: ImageRule;
  readonly registry: Registry;
  /** Longest time for finding out. */
  readonly timeoutMs: number;
}

export type ImageOutcome =
  /** What the image was at that time; `signer` for people. */
  | { readonly kind: "verified"; readonly digest: string; readonly signer: string }
  /** The registry has answered, and it is not signed as the rule wants. */
  | { readonly kind: "unsigned"; readonly problem: string }
  /** It could not be found out. */
  | { readonly kind: "unknown"; readonly problem: string };

/** Finds out; takes no longer than `timeoutMs`, and never rejects. */
export type VerifyImage = (check: ImageCheck, timeoutMs: number) => Promise<ImageOutcome>;

/** What an evaluation may use of what has been found out for it. */
export interface ImagesAtHand {
  /** Undefined while it has not been asked. */
  lookUp(check: ImageCheck): ImageOutcome | undefined;
}

/** The outcomes for one request: each question is asked once. */
export class ImageAnswers implements ImagesAtHand {
  readonly #verify: VerifyImage;
  readonly #outcomes = new Map<string, ImageOutcome>();

  constructor(verify: VerifyImage) {
    this.#verify = verify;
  }

  lookUp({ key }: ImageCheck): ImageOutcome | undefined {
    return this.#outcomes.get(key);
  }

  /** Asks all at once, and resolves with all answered or `timeoutMs` over. */
  async find(checks: readonly ImageCheck[], timeoutMs: number): Promise<void> {
    const wanted = new Map(checks.map((check) => [check.key, check]));
    await Promise.all(
      [...wanted].map(async ([key, check]) => {
        this.#outcomes.set(key, await this.#verify(check, timeoutMs));
      }),
    );
  }
}

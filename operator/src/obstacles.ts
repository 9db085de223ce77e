import { type Logger, refusalOf } from "@shieldx/controller-runtime";

/** How long a refusal that passes by itself may last before people are told. */
const PATIENCE_MS = 5_000;
/** How soon to look again after one: the cache needs that long to show what the server holds. */
const LOOK_AGAIN_MS = 250;

/** What stands in the way, for people; a `Refusal` by the API server is one. */
export interface StandingRefusal {
  readonly reason: string;
  readonly message: string;
  /** It may be over in a moment. */
  readonly isPassing: boolean;
}

/** A write that is refused, and when to try again. */
export interface Obstacle {
  /** undefined while it is too early to bother people with it. */
  readonly refusal: StandingRefusal | undefined;
  readonly retryAfterMs: number;
}

interface Standing {
  readonly refusal: StandingRefusal;
  readonly sinceMs: number;
  readonly isTold: boolean;
}

/**
 * What the API server refuses to take from us at present, by what it concerns: a policy's native objects, the webhook
 * configurations, the certificates' Secrets, reports, a status. Conditions are made from it, and the log says each once
 * when it begins and once when it is over, however often it was tried.
 */
export class Obstacles {
  readonly #retryMs: number;
  readonly #logger: Logger;
  readonly #standing = new Map<string, Standing>();
  readonly #listeners: (() => void)[] = [];

  constructor(options: { readonly retryMs: number; readonly logger: Logger }) {
    this.#retryMs = options.retryMs;
    this.#logger = options.logger;
  }

  /** Called whenever what people are told changes. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** What people are told about `subject` at present. */
  get(subject: string): StandingRefusal | undefined {
    const standing = this.#standing.get(subject);
    return standing?.isTold === true ? standing.refusal : undefined;
  }

  /**
   * Takes note that a write concerning `subject` failed.
   * @throws the error itself when it is no refusal, but something that the queue's retries may mend
   */
  failed(subject: string, error: unknown, now: number): Obstacle {
    const refusal = refusalOf(error);
    if (refusal === undefined) throw error;
    return this.refused(subject, refusal, now);
  }

  refused(subject: string, refusal: StandingRefusal, now: number): Obstacle {
    const before = this.#standing.get(subject);
    const isSameKind = before?.refusal.isPassing === refusal.isPassing;
    const sinceMs = before !== undefined && isSameKind ? before.sinceMs : now;
    const isTold = !refusal.isPassing || now - sinceMs >= PATIENCE_MS;
    this.#standing.set(subject, { refusal, sinceMs, isTold });
    const isNews = isTold && (before?.isTold !== true || before.refusal.message !== refusal.message);
    if (isNews) {
      const { reason, message } = refusal;
      this.#logger.warn({ subject, reason }, `${message}; tried again every ${this.#retryMs / 1000} s`);
      this.#changed();
    }
    const retryAfterMs = refusal.isPassing ? Math.min(LOOK_AGAIN_MS, this.#retryMs) : this.#retryMs;
    return { refusal: isTold ? refusal : undefined, retryAfterMs };
  }

  /** The write went through, or is not wanted any more. */
  clear(subject: string): void {
    const before = this.#standing.get(subject);
    if (before === undefined) return;
    this.#standing.delete(subject);
    if (!before.isTold) return;
    this.#logger.info({ subject }, "no longer refused");
    this.#changed();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** Subjects that concern every policy the webhook enforces, in the order in which a person should read of them. */
export const WEBHOOK_SUBJECTS = ["certificates", "webhook configurations", "kinds webhook"] as const;
/** Concerns those policies only that change objects. */
export const MUTATIONS_SUBJECT = "mutations webhook";
export const REPORTS_SUBJECT = "reports";
export const FINDINGS_SUBJECT = "record of findings";

/** What keeps existing objects from being held against one policy. */
export function auditSubject(policy: string): string {
  return `audit of ShieldPolicy ${policy}`;
}

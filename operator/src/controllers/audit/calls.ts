import { randomBytes } from "node:crypto";
import {
  type AuditVerdict,
  CallAnswers,
  ImageAnswers,
  type JudgeContext,
  type SendCall,
  type VerifyImage,
} from "@shieldx/policy-engine";

/** Objects whose calls are under way at once: hosts have requests to answer besides. */
const mostAtOnce = 4;
/** For all that is asked of one object at once. */
const longestMs = 5_000;

type Asks = AuditVerdict["asks"];

/** What an object is judged with, each time until it is judged: with another time its calls would be others. */
export interface Attempt extends Pick<JudgeContext, "now"> {
  readonly calls: CallAnswers;
  readonly images: ImageAnswers;
}

export interface Outside {
  readonly send: SendCall;
  readonly verify: VerifyImage;
}

/** What policies ask hosts and registries about objects that exist: an object is judged again once that is answered. */
export class AuditCalls {
  readonly #outside: Outside;
  readonly #onAnswered: (item: string) => void;
  readonly #attempts = new Map<string, Attempt>();
  /** In the order in which they asked. */
  readonly #waiting = new Map<string, Asks>();
  #underWay = 0;

  constructor(outside: Outside, onAnswered: (item: string) => void) {
    this.#outside = outside;
    this.#onAnswered = onAnswered;
  }

  attempt(item: string, now: number): Attempt {
    const { send, verify } = this.#outside;
    const first = () => ({
      now,
      calls: new CallAnswers(send, () => randomBytes(32)),
      images: new ImageAnswers(verify),
    });
    return this.#attempts.get(item) ?? first();
  }

  /** Objects that wait for answers. */
  get size(): number {
    return this.#attempts.size;
  }

  ask(item: string, attempt: Attempt, asks: Asks): void {
    this.#attempts.set(item, attempt);
    this.#waiting.set(item, asks);
    this.#begin();
  }

  /** It is judged, or gone. */
  forget(item: string): void {
    this.#attempts.delete(item);
    this.#waiting.delete(item);
  }

  #begin(): void {
    for (const [item, asks] of this.#waiting) {
      if (this.#underWay >= mostAtOnce) return;
      this.#waiting.delete(item);
      const attempt = this.#attempts.get(item);
      if (attempt !== undefined) void this.#find(item, attempt, asks);
    }
  }

  /** Never rejects. */
  async #find(item: string, { calls, images }: Attempt, asks: Asks): Promise<void> {
    this.#underWay++;
    const wanted = asks.flatMap(({ policy, check }) =>
      check.kind === "http" ? [{ policy, call: check }] : [],
    );
    const asked = asks.flatMap(({ check }) => (check.kind === "image" ? [check] : []));
    await Promise.all([calls.find(wanted, longestMs), images.find(asked, longestMs)]);
    this.#underWay--;
    this.#onAnswered(item);
    this.#begin();
  }
}

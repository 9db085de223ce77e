import { randomBytes } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import {
  type AdmissionRequestLike,
  type AuthorizationCheck,
  CallAnswers,
  type EvaluationContext,
  ImageAnswers,
  type ImageCheck,
  inTurns,
  type SendCall,
  type TimedContext,
  type Turns,
  threadCpuNow,
  type Verdict,
  type VerifyImage,
} from "@shieldx/policy-engine";
import { type AskAuthorizer, Authorizations } from "./authorizations.ts";

/** Whom policies may ask. */
export interface Outside {
  readonly askAuthorizer: AskAuthorizer;
  /** Left out, nobody is called. */
  readonly sendCall?: SendCall | undefined;
  /** Left out, no registry is asked. */
  readonly verifyImage?: VerifyImage | undefined;
}

/** What all policies may take for one request, which is answered in turns with others: beyond it, failurePolicy decides. */
const longestEvaluationMs = 2_000;
/** Shares of the time a request has left: what remains is for the evaluation, and whoever is asked next. */
const shareForAuthorizer = 0.5;
const shareForCalls = 0.8;

const nobodyIsCalled: SendCall = async () => ({
  kind: "refused",
  message: "no host is called here",
  mayPass: false,
});

const noRegistryIsAsked: VerifyImage = async () => ({
  kind: "unknown",
  problem: "no registry is asked here",
});

type Answers = Pick<EvaluationContext, "authorize" | "calls" | "images">;

/** What policies of one request asked, and were answered: the authorizer's decisions, what hosts say, and who signed images. */
export class OutsideAnswers {
  readonly #authorizations: Authorizations;
  readonly #calls: CallAnswers;
  readonly #images: ImageAnswers;
  readonly #answers: Answers;

  constructor(outside: Outside, user: AdmissionRequestLike["userInfo"]) {
    const { askAuthorizer, sendCall = nobodyIsCalled, verifyImage = noRegistryIsAsked } = outside;
    this.#authorizations = new Authorizations(askAuthorizer, user);
    this.#calls = new CallAnswers(sendCall, () => randomBytes(32));
    this.#images = new ImageAnswers(verifyImage);
    this.#answers = { authorize: this.#authorizations.lookUp, calls: this.#calls, images: this.#images };
  }

  /**
   * Judges in turns with other requests, and again with what was answered, until nothing is left to ask.
   * @param judge as a policy set does; with what it is given
   * @param until by `performance.now`
   */
  async settle<V extends Verdict>(
    judge: (context: Answers & TimedContext) => Turns<V>,
    until: number,
  ): Promise<V> {
    const remainingMs = () => Math.max(1, until - performance.now());
    for (;;) {
      const deadlineMs = Math.min(remainingMs(), longestEvaluationMs);
      const verdict = await inTurns(judge({ ...this.#answers, deadlineMs, cpuNow: threadCpuNow }), nextTurn);
      if (verdict.asks.length === 0) return verdict;
      await this.#find(verdict.asks, remainingMs());
    }
  }

  /** Asks all of it at once; `remainingMs` is the time the request has left. Never rejects. */
  async #find(asks: Verdict["asks"], remainingMs: number): Promise<void> {
    const checks: AuthorizationCheck[] = [];
    const calls: Parameters<CallAnswers["find"]>[0][number][] = [];
    const images: ImageCheck[] = [];
    for (const { policy, check } of asks) {
      if (check.kind === "http") calls.push({ policy, call: check });
      else if (check.kind === "image") images.push(check);
      else checks.push(check);
    }
    await Promise.all([
      this.#authorizations.find(checks, remainingMs * shareForAuthorizer),
      this.#calls.find(calls, remainingMs * shareForCalls),
      this.#images.find(images, remainingMs * shareForCalls),
    ]);
  }
}

import { randomBytes } from "node:crypto";
import {
  type AdmissionRequestLike,
  CallAnswers,
  type EvaluationContext,
  type SendCall,
  type Verdict,
} from "@shieldx/policy-engine";
import { type AskAuthorizer, Authorizations } from "./authorizations.ts";

/** Whom policies may ask. */
export interface Outside {
  readonly askAuthorizer: AskAuthorizer;
  /** Left out, nobody is called. */
  readonly sendCall?: SendCall | undefined;
}

/** Shares of the time a request has left: what remains is for the evaluation, and whoever is asked next. */
const shareForAuthorizer = 0.5;
const shareForCalls = 0.8;

const nobodyIsCalled: SendCall = async () => ({
  kind: "refused",
  message: "no host is called here",
  mayPass: false,
});

/** What policies of one request asked, and were answered: the authorizer's decisions, and what hosts say. */
export class OutsideAnswers {
  readonly #authorizations: Authorizations;
  readonly #calls: CallAnswers;
  readonly context: Pick<EvaluationContext, "authorize" | "calls">;

  constructor({ askAuthorizer, sendCall = nobodyIsCalled }: Outside, user: AdmissionRequestLike["userInfo"]) {
    this.#authorizations = new Authorizations(askAuthorizer, user);
    this.#calls = new CallAnswers(sendCall, randomBytes(32));
    this.context = { authorize: this.#authorizations.lookUp, calls: this.#calls };
  }

  /** Asks all of it at once; `remainingMs` is the time the request has left. Never rejects. */
  async find(asks: Verdict["asks"], remainingMs: number): Promise<void> {
    const checks = asks.flatMap(({ check }) => (check.kind === "http" ? [] : [check]));
    const calls = asks.flatMap(({ policy, check }) =>
      check.kind === "http" ? [{ policy, call: check }] : [],
    );
    await Promise.all([
      this.#authorizations.find(checks, remainingMs * shareForAuthorizer),
      this.#calls.find(calls, remainingMs * shareForCalls),
    ]);
  }
}

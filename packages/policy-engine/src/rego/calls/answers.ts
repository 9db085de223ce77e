import type { CallOutcome, CallsAtHand, HttpCall, SendCall } from "./call.ts";
import { seededBytes } from "./seeded-bytes.ts";

/** Calls a policy may make for one request: each is another evaluation, and time the client waits. */
export const mostCalls = 8;

/** Calls of one policy by their keys, those under way among them. */
type Outcomes = Map<string, CallOutcome | Promise<void>>;

/** The outcomes of calls for one request, or one object that is audited: each call is sent once. */
export class CallAnswers implements CallsAtHand {
  readonly #send: SendCall;
  readonly #makeSeed: () => Uint8Array;
  #seed: Uint8Array | undefined;
  readonly #policies = new Map<string, Outcomes>();

  /** @param makeSeed what nobody can guess; asked at most once, as few policies need it */
  constructor(send: SendCall, makeSeed: () => Uint8Array) {
    this.#send = send;
    this.#makeSeed = makeSeed;
  }

  lookUp(policy: string, { key }: HttpCall): CallOutcome | undefined {
    const outcomes = this.#policies.get(policy);
    const outcome = outcomes?.get(key);
    if (outcome instanceof Promise) return undefined;
    if (outcome !== undefined || outcomes === undefined || outcomes.size < mostCalls) return outcome;
    const message = `more than ${mostCalls} different calls of one policy for one request: make fewer`;
    return { kind: "refused", message, mayPass: false };
  }

  randomBytes(policy: string): (count: number) => Uint8Array {
    this.#seed ??= this.#makeSeed();
    return seededBytes(this.#seed, policy);
  }

  /** Sends what is asked, all at once, and resolves with all answered or `timeoutMs` over. */
  async find(
    asks: readonly { readonly policy: string; readonly call: HttpCall }[],
    timeoutMs: number,
  ): Promise<void> {
    await Promise.all(
      asks.map(({ policy, call }) => {
        const outcomes: Outcomes = this.#policies.get(policy) ?? new Map();
        this.#policies.set(policy, outcomes);
        const known = outcomes.get(call.key);
        if (known !== undefined || outcomes.size >= mostCalls) return known;
        const sending = this.#send(call, timeoutMs).then((outcome) => {
          outcomes.set(call.key, outcome);
        });
        outcomes.set(call.key, sending);
        return sending;
      }),
    );
  }
}

import type { CallOutcome, HttpCall, HttpResponse } from "../calls/call.ts";
import { hostOf, shownHost } from "../calls/hosts.ts";
import { CallFailedError } from "./errors.ts";
import { KeptAnswers } from "./kept.ts";
import { sendOverNetwork } from "./send.ts";

/** What came of a call, for metrics. */
export type CallResult = "answered" | "kept" | "failed" | "refused" | "timed_out";

export interface HttpClientOptions {
  /** A clock that never goes back, in milliseconds. */
  readonly monotonicNow: () => number;
  /** Told of each call how it ended, and how long it took in seconds. */
  readonly onCall?: (result: CallResult, seconds: number) => void;
  /** Opens connections; another in tests. Rejects with `CallFailedError`, or the signal's reason. */
  readonly send?: (call: HttpCall, signal: AbortSignal) => Promise<HttpResponse>;
}

/** Calls under way in this process: each may hold a socket and a megabyte. */
const mostUnderWay = 64;
/** A host that does not answer must leave room for calls of others. */
const mostOfHost = 16;

/** Sends calls for every policy of a process. */
export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #kept = new KeptAnswers();
  #underWay = 0;
  /** By host, as messages show it; only hosts that have some. */
  readonly #ofHost = new Map<string, number>();

  constructor(options: HttpClientOptions) {
    this.#options = options;
  }

  /** Never rejects, and takes no longer than `timeoutMs`. */
  readonly send = async (call: HttpCall, timeoutMs: number): Promise<CallOutcome> => {
    const { monotonicNow, onCall } = this.#options;
    const startedAt = monotonicNow();
    const [result, outcome] = await this.#outcomeOf(call, timeoutMs);
    onCall?.(result, (monotonicNow() - startedAt) / 1_000);
    return outcome;
  };

  async #outcomeOf(call: HttpCall, timeoutMs: number): Promise<readonly [CallResult, CallOutcome]> {
    const { monotonicNow, send = sendOverNetwork } = this.#options;
    const kept = call.keep === undefined ? undefined : this.#kept.find(call, monotonicNow());
    if (kept !== undefined) return ["kept", { kind: "answered", response: kept }];
    const host = shownHost(hostOf(call.url));
    const ofHost = this.#ofHost.get(host) ?? 0;
    if (this.#underWay >= mostUnderWay)
      return ["refused", refused(`more than ${mostUnderWay} calls are under way; try again`)];
    if (ofHost >= mostOfHost)
      return ["refused", refused(`more than ${mostOfHost} calls of ${host} are under way; try again`)];
    const isOutOfTime = timeoutMs < call.timeoutMs;
    const time = Math.max(1, Math.floor(Math.min(timeoutMs, call.timeoutMs)));
    const signal = AbortSignal.timeout(time);
    this.#underWay += 1;
    this.#ofHost.set(host, ofHost + 1);
    try {
      const response = await send(call, signal);
      this.#kept.keep(call, response, monotonicNow());
      return ["answered", { kind: "answered", response }];
    } catch (error) {
      if (signal.aborted) return ["timed_out", timedOut(call, time, isOutOfTime)];
      const endsEvaluation = error instanceof CallFailedError && error.endsEvaluation;
      const message = error instanceof Error ? error.message : String(error);
      return endsEvaluation ? ["refused", refused(message)] : ["failed", { kind: "failed", message }];
    } finally {
      this.#underWay -= 1;
      this.#leave(host);
    }
  }

  #leave(host: string): void {
    const left = (this.#ofHost.get(host) ?? 0) - 1;
    if (left > 0) this.#ofHost.set(host, left);
    else this.#ofHost.delete(host);
  }
}

const refused = (message: string): CallOutcome => ({ kind: "refused", message, mayPass: true });

/** Where the request itself has no time left, the policy has none to go on without the answer. */
function timedOut({ url }: HttpCall, ms: number, isOutOfTime: boolean): CallOutcome {
  const message = `${shownHost(hostOf(url))} did not answer within ${ms} ms`;
  return isOutOfTime
    ? refused(`${message}, which is all the time the request has`)
    : { kind: "failed", message };
}

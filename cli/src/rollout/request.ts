import { type Client, isConflict } from "@shieldx/controller-runtime";
import { ANNOTATION, formatRolloutRequest, type RolloutRequest, type RolloutStatus } from "@shieldx/crds";
import { UsageError } from "../errors.ts";
import { ShieldPolicyType } from "../kinds.ts";
import { type RolloutSeen, readRollout } from "./read.ts";

export type RolloutVerb = RolloutRequest["verb"];

export interface AskParts {
  readonly client: Client;
  readonly policy: string;
  readonly verb: RolloutVerb;
  readonly timeoutMs: number;
  /** Waits a moment before the next look. */
  readonly pause: () => Promise<void>;
  /** Milliseconds, by a clock that never goes back. */
  readonly now: () => number;
}

export interface Answered {
  readonly accepted: boolean;
  readonly message: string;
  readonly rollout: RolloutStatus;
}

/**
 * Asks by annotation, and waits for what becomes of it. The step that was seen first is the one that is meant: it is named, and
 * nothing is written over a request that nobody has answered yet.
 *
 * @throws UsageError when there is no such rollout, or nobody answers in time
 */
export async function ask(parts: AskParts): Promise<Answered> {
  const { client, policy, verb, timeoutMs, now, pause } = parts;
  const until = now() + timeoutMs;
  let seen = await readRollout(client, policy);
  const request = requestFor(verb, seen.rollout);
  // Somebody may just be asking the same: then it is one request.
  let isAsked = seen.request === request && !isAnswered(seen);
  for (;;) {
    const { answered } = seen.rollout;
    if (isAsked && answered?.request === request)
      return { accepted: answered.accepted, message: answered.message, rollout: seen.rollout };
    if (now() >= until) throw unanswered(parts, request, seen);
    if (isAsked || !isAnswered(seen)) await pause();
    // Refused before, it can be asked again once the answer is taken back.
    else if (answered?.request !== request) isAsked = await write(parts, request, seen);
    else if (seen.request === request) await write(parts, null, seen);
    else await pause();
    seen = await readRollout(client, policy);
    // Somebody else was faster, or took it back: his is answered first.
    if (seen.request !== request && seen.rollout.answered?.request !== request) isAsked = false;
  }
}

function requestFor(verb: RolloutVerb, { step, turn }: RolloutStatus): string {
  return formatRolloutRequest(verb === "pause" || verb === "resume" ? { verb } : { verb, step, turn });
}

function isAnswered({ request, rollout }: RolloutSeen): boolean {
  return request === undefined || request === rollout.answered?.request;
}

/** Returns whether it was written; not when the policy has changed since it was seen. */
async function write(
  { client, policy }: AskParts,
  request: string | null,
  seen: RolloutSeen,
): Promise<boolean> {
  const { resourceVersion } = seen;
  const metadata = {
    annotations: { [ANNOTATION.rollout]: request },
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
  try {
    await client.patch(ShieldPolicyType, { name: policy }, { metadata }, { type: "merge" });
    return true;
  } catch (error) {
    if (isConflict(error)) return false;
    throw error;
  }
}

function unanswered({ policy, timeoutMs }: AskParts, request: string, seen: RolloutSeen): UsageError {
  const waiting = seen.request === request ? "it is asked for, and was not answered" : "it was not asked for";
  const other =
    seen.request !== undefined && seen.request !== request && !isAnswered(seen)
      ? `, because "${seen.request}" of somebody else is unanswered`
      : "";
  return new UsageError(
    "RolloutUnanswered",
    `ShieldPolicy "${policy}": ${waiting} within ${timeoutMs / 1000} s${other}: does an operator run and lead? See shieldctl status`,
    { exitCode: 1 },
  );
}

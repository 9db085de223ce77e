import { MAX_ROLLOUT_REQUEST, parseRolloutRequest, type RolloutStatus } from "@shieldx/crds";

export interface Asked {
  /** Value of the annotation. */
  readonly request: string | undefined;
  readonly current: RolloutStatus;
  /** Why the version cannot be judged by. */
  readonly problem: string | undefined;
  /** Requests are sent for it, and every replica keeps the step. */
  readonly isSettled: boolean;
}

export type Reply =
  /** Nothing is asked, or what is asked was answered. */
  | { readonly kind: "none" }
  /** It is answered once the step allows. */
  | { readonly kind: "wait" }
  | {
      readonly kind: "refused" | "paused" | "resumed" | "promoted" | "aborted";
      readonly request: string;
      readonly message: string;
    };

/**
 * What becomes of a request. One that names its step is done once: whoever asks the same again, or asked at the same time,
 * finds the rollout elsewhere.
 */
export function answer({ request: text, current, problem, isSettled }: Asked): Reply {
  const request = text?.slice(0, MAX_ROLLOUT_REQUEST).toWellFormed();
  if (request === undefined || request === current.answered?.request) return { kind: "none" };
  const refused = (message: string): Reply => ({ kind: "refused", request, message });
  const asked = parseRolloutRequest(text ?? "");
  if (asked === undefined)
    return refused(
      "shieldx.io/rollout is none of pause, resume, promote-from=STEP[@TURN], abort-from=STEP[@TURN]: use shieldctl policy rollout",
    );
  if (current.stage === "Full")
    return refused("the version is in force everywhere: change the policy to roll out another");
  if (asked.verb === "pause")
    return {
      kind: "paused",
      request,
      message: `paused in step ${current.step}; a rollback still takes place`,
    };
  if (asked.verb === "resume")
    return { kind: "resumed", request, message: `resumed in step ${current.step}` };
  const { verb, step, turn } = asked;
  if (step !== current.step || (turn !== undefined && turn !== current.turn))
    return refused(
      `${verb} names step ${step}${turn === undefined ? "" : ` of turn ${turn}`}, and the rollout is in step ${current.step} of turn ${current.turn}: look again, and ask again if it is still wanted`,
    );
  if (verb === "abort") {
    if (current.stage === "RolledBack") return refused("the version has been taken back already");
    return { kind: "aborted", request, message: `aborted in step ${step}` };
  }
  if (problem !== undefined)
    return refused(
      `the version cannot be judged by, so that it cannot be promoted: ${problem}`.slice(0, 1024),
    );
  // Before the version before goes, everybody has to have the new one.
  if (current.stage === "Bake" && !isSettled) return { kind: "wait" };
  return { kind: "promoted", request, message: `promoted from step ${step}` };
}

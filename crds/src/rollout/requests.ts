import { MAX_ROLLOUT_REQUEST } from "../shieldpolicy/rollout-status.ts";

/** What somebody asks for by the annotation `shieldx.io/rollout`. */
export type RolloutRequest =
  | { readonly verb: "pause" }
  | { readonly verb: "resume" }
  | ({ readonly verb: "promote" } & AboutStep)
  | ({ readonly verb: "abort" } & AboutStep);

interface AboutStep {
  /** The step it is about. */
  readonly step: string;
  /** Its turn; without, any at that step. */
  readonly turn: number | undefined;
}

// Anchored, without nested repetition.
const FORM = /^(promote|abort)-from=([a-z0-9-]{1,32})(?:@([0-9]{1,15}))?$/;

/** undefined where nothing is asked for that is known. */
export function parseRolloutRequest(text: string): RolloutRequest | undefined {
  if (text === "pause" || text === "resume") return { verb: text };
  if (text.length > MAX_ROLLOUT_REQUEST) return undefined;
  const [, verb, step = "", turn] = FORM.exec(text) ?? [];
  if (verb !== "promote" && verb !== "abort") return undefined;
  return { verb, step, turn: turn === undefined ? undefined : Number(turn) };
}

/** As the annotation: names the turn, so that it is done once however often it is asked, by however many. */
export function formatRolloutRequest(request: RolloutRequest): string {
  if (request.verb === "pause" || request.verb === "resume") return request.verb;
  const { verb, step, turn } = request;
  return `${verb}-from=${step}${turn === undefined ? "" : `@${turn}`}`;
}

import { effectiveFailurePolicy, type GapCause, type ShieldPolicy } from "@shieldx/crds";

/** That a policy is not enforced now, as its own conditions say. */
export interface Lapse {
  readonly cause: GapCause;
  /** When it began, at the earliest, milliseconds since the epoch. */
  readonly fromMs: number;
  readonly message: string;
}

/** Until a replica that is gone is missed: its Lease stands so long. */
const MISSED_AFTER_MS = 45_000;
/** What is over sooner is part of every start. */
export const SHORTEST_LAPSE_MS = 5_000;

/**
 * Why nothing is refused by a policy that denies, though nobody said so; undefined where it is, be it by failurePolicy, or where
 * it is not understood, which its conditions say.
 */
export function lapseOf({ spec, status }: Pick<ShieldPolicy, "spec" | "status">): Lapse | undefined {
  const conditionOf = (wanted: string) => status?.conditions?.find(({ type }) => type === wanted);
  const enforced = conditionOf("Enforced");
  if (spec.actions?.admission !== "deny" || enforced?.status !== "False") return undefined;
  if (conditionOf("Compiled")?.status !== "True" || conditionOf("TestsPassed")?.status === "False")
    return undefined;
  // A version that goes in by stages does not act everywhere, which is what was asked for.
  if (status?.rollout !== undefined && status.rollout.stage !== "Full") return undefined;
  const sinceMs = Date.parse(enforced.lastTransitionTime);
  if (unpublished.has(enforced.reason) || status?.enforcedBy !== "Webhook")
    return { cause: "NotEnforced", fromMs: sinceMs, message: enforced.message };
  if (effectiveFailurePolicy(spec) === "Fail") return undefined;
  const cause = enforced.reason === "NoReplica" ? "NoReplica" : "NotEnforced";
  return { cause, fromMs: sinceMs - MISSED_AFTER_MS, message: enforced.message };
}

/** The API server is not told to ask the webhook, so that failurePolicy decides nothing. */
const unpublished: ReadonlySet<string> = new Set([
  "WaitingForCertificate",
  "WaitingForReplica",
  "Publishing",
  "NotInstalled",
]);

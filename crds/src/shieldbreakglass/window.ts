/** When a ShieldBreakGlass is open, and for which policies: the same in webhook, operator and shieldctl. */
import { namespaceOfPolicy } from "../namespacedshieldpolicy/policy-name.ts";
import type { ShieldBreakGlassSpec } from "./schema.ts";

/** Longest time from its creation to its end. */
export const MAX_BREAK_GLASS_MS = 4 * 3_600_000;
/** How far ahead of ours the API server's clock, which says when it was created, may be. */
const MAX_SKEW_MS = 60_000;

/** What is needed to tell; as the API server stores it, or as somebody got it past the webhook. */
export interface StoredBreakGlass {
  readonly metadata: {
    readonly name: string;
    readonly uid?: string | undefined;
    readonly creationTimestamp?: string | undefined;
    readonly deletionTimestamp?: string | undefined;
  };
  readonly spec: ShieldBreakGlassSpec;
}

/** The time in which it is open, in milliseconds since the epoch, or why it never is. */
export type BreakGlassWindow =
  | { readonly fromMs: number; readonly untilMs: number }
  | { readonly problem: string };

/** @returns a problem for what admission refuses, should it be stored all the same: such a one opens nothing */
export function breakGlassWindow({ metadata, spec }: StoredBreakGlass): BreakGlassWindow {
  const fromMs = Date.parse(metadata.creationTimestamp ?? "");
  const untilMs = Date.parse(spec.expiresAt);
  if (Number.isNaN(fromMs) || Number.isNaN(untilMs))
    return { problem: "spec.expiresAt: is no point in time" };
  if (untilMs - fromMs > MAX_BREAK_GLASS_MS)
    return {
      problem: `spec.expiresAt: ${spec.expiresAt} is more than 4 hours after the creation: choose an earlier time, and open another one should it take longer`,
    };
  return { fromMs, untilMs };
}

/** Whether it is open at `now`, as far as clocks tell. Not before its creation: a clock that went back opens nothing. */
export function isBreakGlassOpen(glass: StoredBreakGlass, now: number): boolean {
  if (glass.metadata.deletionTimestamp !== undefined) return false;
  const window = breakGlassWindow(glass);
  return !("problem" in window) && now >= window.fromMs - MAX_SKEW_MS && now < window.untilMs;
}

/** Whether it is about the policy. Those of tenants are theirs: their owner takes them away himself. */
export function breaksPolicy({ policies, allPolicies }: ShieldBreakGlassSpec, policy: string): boolean {
  return allPolicies === true ? namespaceOfPolicy(policy) === undefined : policies?.includes(policy) === true;
}

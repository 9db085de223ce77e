/**
 * Values that hold when a field of a ShieldPolicy is left out and its default depends on other fields. A stored policy may
 * lack even what its kind requires, if that was loosened for a while: such a one is not in force, and breaks nothing.
 */
import { parseDurationMs } from "../kubernetes/duration.ts";
import { DEFAULT_MAX_EXCEPTION_DURATION } from "./exceptions.ts";
import type { ShieldPolicySpec } from "./schema.ts";

/** `actions.background`: audit for engine podSecurity, off for the others, unless given. */
export function effectiveBackground(spec: Pick<ShieldPolicySpec, "engine" | "actions">): "audit" | "off" {
  return spec.actions?.background ?? (spec.engine === "podSecurity" ? "audit" : "off");
}

/** `failurePolicy`: Fail for deny, Ignore for everything else, unless given. */
export function effectiveFailurePolicy(
  spec: Pick<ShieldPolicySpec, "failurePolicy" | "actions">,
): "Fail" | "Ignore" {
  return spec.failurePolicy ?? (spec.actions?.admission === "deny" ? "Fail" : "Ignore");
}

/** `exceptions.maxDuration` in milliseconds; 720 h where the policy says nothing. */
export function maxExceptionDurationMs(spec: Pick<ShieldPolicySpec, "exceptions">): number {
  return parseDurationMs(spec.exceptions?.maxDuration ?? DEFAULT_MAX_EXCEPTION_DURATION);
}

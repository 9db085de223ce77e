import type { CompiledPolicy } from "./compile.ts";

/** What a policy is held against. */
export type PolicyUse = "requests" | "existing objects";

/** Whether the policy is evaluated here on these. */
export function isUsed({ admission, background, isEvaluatedHere }: CompiledPolicy, on: PolicyUse): boolean {
  return on === "requests" ? isEvaluatedHere && admission !== "off" : background === "audit";
}

import { ApiError, type Refusal, refusalOf } from "@shieldx/controller-runtime";
import { missingParameterRight } from "@shieldx/crds";
import { ownersOfField } from "@shieldx/policy-engine";
import type { PlannedObject } from "./plan.ts";

/** What is the matter when the API server will not take what was rendered; undefined when trying again may help. */
export function refusalOfPolicy(error: unknown): Refusal | undefined {
  const refusal = refusalOf(error);
  if (refusal === undefined) return undefined;
  const missing = missingParameterRight(refusal.message);
  if (missing === undefined) return refusal;
  return {
    reason: "MissingRights",
    message: `spec.paramKind: ${missing}`,
    isPassing: false,
  };
}

/**
 * Which policies an object that the API server refuses has to do without: those whose expressions it names, or all where
 * it names none. None of them where the object itself is not what it minds.
 */
export function blamed(error: unknown, refusal: Refusal, { wants, merged }: PlannedObject): string[] {
  if (merged === undefined || refusal.isPassing || refusal.reason === "MissingRights") return [];
  const own = new Set(wants.map(({ policy }) => policy));
  const causes = error instanceof ApiError ? (error.details?.causes ?? []) : [];
  const named = causes
    .flatMap(({ field }) => (field === undefined ? [] : ownersOfField(merged.members, field)))
    .map(({ policy }) => policy)
    .filter((policy) => own.has(policy));
  return named.length > 0 ? [...new Set(named)] : [...own];
}

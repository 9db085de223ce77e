/** Match conditions of a policy (apiserver pkg/admission/plugin/webhook/matchconditions/matcher.go). */
import type { AuthorizationCheck } from "../kubernetes/authorization-check.ts";
import type { CompiledExpression } from "./expression.ts";
import { evaluateGroup, type GroupContext, OUT_OF_BUDGET } from "./expression-group.ts";
import { MATCH_CONDITIONS_COST_BUDGET } from "./limits.ts";

/** Which variables they have: not the namespace. */
export const conditionsSee = { hasNamespace: false, hasAuthorizer: true } as const;

export type HeldConditions =
  | { readonly kind: "yes" }
  | { readonly kind: "no" }
  /** Some came to an error, or wait for an answer. */
  | {
      readonly kind: "open";
      readonly error: string | undefined;
      readonly pending: readonly AuthorizationCheck[];
    };

/** "no" when a condition says so, whatever errors others have; errors only count when none does. */
export function heldConditions(
  conditions: readonly CompiledExpression[],
  context: Omit<GroupContext, "onPending">,
): HeldConditions {
  const pending: AuthorizationCheck[] = [];
  const { results, isOutOfBudget } = evaluateGroup(
    conditions,
    { ...context, onPending: (check) => pending.push(check) },
    MATCH_CONDITIONS_COST_BUDGET,
  );
  const errors: string[] = [];
  if (isOutOfBudget) errors.push(OUT_OF_BUDGET);
  for (const result of results) {
    if (result?.kind === "value" && result.value === false) return { kind: "no" };
    if (result?.kind === "error") errors.push(result.message);
  }
  if (errors.length === 0 && pending.length === 0) return { kind: "yes" };
  return { kind: "open", error: errors.length === 0 ? undefined : aggregate(errors), pending };
}

/** As utilerrors.NewAggregate words several errors: each text once. */
function aggregate(messages: readonly string[]): string {
  const unique = [...new Set(messages)];
  return unique.length === 1 ? (unique[0] ?? "") : `[${unique.join(", ")}]`;
}

/** Whether a policy comes near what the API server lets it spend, told by its own cases with longer lists. */
import { effectiveFailurePolicy, type ShieldPolicySpec } from "@shieldx/crds";
import { compileCelRules, PER_CALL_COST_LIMIT, RULES_COST_BUDGET } from "../cel/admission/index.ts";
import { LONG_LIST, withLongLists } from "../long-lists.ts";
import { requestOf } from "../policy-tests/request.ts";
import { finding, type LintFinding } from "./rules.ts";

/** What is near to the budget of all expressions: a quarter. */
const share = 4;

export function costFindings(spec: ShieldPolicySpec): LintFinding[] {
  if ((spec.validations ?? []).length === 0) return [];
  const rules = compileCelRules({ ...spec, failurePolicy: effectiveFailurePolicy(spec) });
  const index = (spec.tests ?? []).findIndex((test) => {
    const asked = requestOf(test, 0);
    if (asked === undefined || test.params !== undefined || spec.paramKind !== undefined) return false;
    const { request, context } = asked;
    const question = {
      request,
      object: withLongLists(request.object),
      oldObject: withLongLists(request.oldObject),
      namespaceObject: context.namespaceObject,
    };
    const outcome = rules.evaluate(question, {
      costBudget: RULES_COST_BUDGET / share,
      authorize: () => undefined,
    });
    return outcome.pending.length === 0 && [...outcome.failures, ...outcome.ignoredErrors].some(isAboutCost);
  });
  if (index === -1) return [];
  return [
    finding(
      "costly-expression",
      "spec.validations",
      `the object of spec.tests[${index}] with lists of ${LONG_LIST} items costs an expression more than ${PER_CALL_COST_LIMIT}, or all of them more than ${RULES_COST_BUDGET / share}`,
    ),
  ];
}

/** The server's two ways to say that too much was spent: by one expression, and by all. */
function isAboutCost({ message }: { readonly message: string }): boolean {
  return message.includes("cost limit exceeded") || message.includes("running out of cost budget");
}

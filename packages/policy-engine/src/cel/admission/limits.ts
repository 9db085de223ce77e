/** Cost budgets of CEL in admission, in cel-go's units (apiserver pkg/apis/cel/config.go). */

/** One evaluation of one expression: roughly 0.1 s on the API server. */
export const PER_CALL_COST_LIMIT = 1_000_000;

/** All validations and messageExpressions together, for one binding and one parameter object; audit annotations again. */
export const RULES_COST_BUDGET = 10_000_000;

/** All matchConditions together. */
export const MATCH_CONDITIONS_COST_BUDGET = 2_500_000;

/** The longest message a messageExpression may give, in bytes of UTF-8. */
export const MAX_MESSAGE_BYTES = 5 * 1024;

/** Longer values of audit annotations are cut, in bytes of UTF-8 (policy/validating/dispatcher.go). */
export const MAX_AUDIT_ANNOTATION_BYTES = 10 * 1024;

export { type CompiledCelRules, compileCelRules } from "./compile.ts";
export { CelRulesError, type RuleProblem } from "./errors.ts";
export type { EvaluateOptions } from "./evaluate.ts";
export type { IsLate } from "./expression.ts";
export { escapeFieldName } from "./field-names.ts";
export { MATCH_CONDITIONS_COST_BUDGET, PER_CALL_COST_LIMIT, RULES_COST_BUDGET } from "./limits.ts";
export type { CelFailure, CelIgnoredError, CelOutcome } from "./outcome.ts";
export type { CelParams, CelQuestion, CelRequest } from "./question.ts";
export { type QuickRule, QuickRules } from "./quick-rule.ts";
export { type AdmissionReason, acceptedReasons, statusCodeOf } from "./reasons.ts";
export {
  celTypesFromSchema,
  type OpenApiSchema,
  type SchemaResolver,
  type SchemaTypes,
} from "./schema-types.ts";
export type {
  AuditAnnotationSpec,
  CelRulesSpec,
  MatchConditionSpec,
  ValidationSpec,
  VariableSpec,
} from "./spec.ts";
export {
  type ExpressionWarning,
  type KindSchema,
  MAX_KINDS_TO_CHECK,
  typeCheckCelRules,
} from "./type-check.ts";

export {
  type Conclusion,
  type ExplainedException,
  type ExplainInput,
  type Explanation,
  explainPolicy,
} from "./explain.ts";
export type { ExplainedExpression, ExplainedRule, ExplainedRun } from "./expressions.ts";
export type { ExplainedPart, ExplainedResult } from "./trace.ts";

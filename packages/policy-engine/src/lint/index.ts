export { lintPolicy } from "./lint.ts";
export {
  isLintCode,
  LINT_RULES,
  type LintCode,
  type LintFinding,
  type LintRule,
  type LintSeverity,
} from "./rules.ts";

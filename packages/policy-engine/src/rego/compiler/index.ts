export { type CompilerOptions, createRegoCompiler, type PlanCache, type RegoCompiler } from "./compiler.ts";
export { CompilerUnavailableError } from "./errors.ts";
export { PlanFiles, type PlanFilesOptions } from "./plan-files.ts";
export type { ProcessLimits } from "./process.ts";
export {
  type CompileOutcome,
  type CompileProblem,
  type CompileRequest,
  type PlannedTest,
  type PlannedTests,
  planName,
} from "./request.ts";

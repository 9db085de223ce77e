export {
  type Builtin,
  type BuiltinCache,
  type BuiltinContext,
  EvaluationError,
  type EvaluationErrorCode,
} from "./builtins/contract.ts";
export { JsonSyntaxError, parseJson } from "./builtins/go/json-parse.ts";
export { parseDecimal } from "./builtins/go/number-text.ts";
export { builtins, unsupportedBuiltins } from "./builtins/index.ts";
export * from "./bundle/index.ts";
export * from "./bundle-source/index.ts";
export {
  type CompileOutcome,
  type CompileProblem,
  type CompileRequest,
  type CompilerOptions,
  CompilerUnavailableError,
  createRegoCompiler,
  type PlanCache,
  PlanFiles,
  type PlanFilesOptions,
  planName,
  type RegoCompiler,
} from "./compiler/index.ts";
export {
  type Bindings,
  compileRego,
  MissingBuiltinsError,
  type QueryContext,
  type Question,
  type RegoPolicy,
  readDocument,
} from "./evaluate/index.ts";
export { compactJson, type RegoJson } from "./json.ts";
export { loadPlan, PlanError, type RegoPlan } from "./plan/index.ts";
export {
  conflictingPath,
  isStoredObject,
  type RegoProgram,
  RegoPrograms,
  type RegoProgramsOptions,
  type RegoQuestion,
  type RegoSource,
  type RegoState,
} from "./program/index.ts";
export { type PlainObject, type RegoValue, ValueDepthError } from "./values.ts";
export { metered } from "./work-meter.ts";

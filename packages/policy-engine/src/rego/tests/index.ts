export {
  type CompiledRegoTests,
  type CompiledRegoTestsOutcome,
  compileRegoTests,
  compilerOfRegoTests,
} from "./compile.ts";
export { type FileCoverage, percentCovered, type RegoCoverage } from "./coverage.ts";
export { type RegoTestOptions, type RegoTestOutcome, type RegoTestRun, runRegoTests } from "./run.ts";

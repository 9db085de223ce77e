export {
  CompilerUnavailableError,
  compactJson,
  createRegoCompiler,
  type RegoCompiler,
  type RegoJson,
  type RegoValue,
} from "../rego/index.ts";
export { withoutClashes } from "./clashes.ts";
export { Documents, type ServedDocument, type ServedPolicy } from "./documents.ts";
export { DocumentError, parseDocument } from "./input.ts";
export { packagePath } from "./package-path.ts";
export {
  type PolicyToServe,
  type ServedBundle,
  type ServeOutcome,
  type ServeProblem,
  servePolicy,
  withBundle,
} from "./serve.ts";
export type { Decision, DecisionQuestion, DecisionSource, PathPart } from "./source.ts";

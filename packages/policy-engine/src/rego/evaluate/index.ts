export {
  type Bindings,
  compileRego,
  MissingBuiltinsError,
  type Question,
  type RegoPolicy,
  readDocument,
} from "./policy.ts";
export { QuickQueries, type QuickQuery } from "./quick-query.ts";
export { DEFAULT_COST_LIMIT } from "./run.ts";
export type { QueryContext } from "./run-context.ts";
export { SharedResults } from "./sharing.ts";
export type { Observe } from "./step.ts";

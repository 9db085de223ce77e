export {
  type Bindings,
  compileRego,
  MissingBuiltinsError,
  type QueryContext,
  type Question,
  type RegoPolicy,
} from "./policy.ts";

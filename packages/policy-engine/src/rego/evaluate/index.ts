export {
  type Bindings,
  compileRego,
  MissingBuiltinsError,
  type Question,
  type RegoPolicy,
} from "./policy.ts";
export type { QueryContext } from "./run-context.ts";
export { SharedResults } from "./sharing.ts";

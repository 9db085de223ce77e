export type { ReadSecret } from "./bundle-options.ts";
export type { CurrentBundle } from "./held-bundle.ts";
export { compilerBeside, openRegoPolicies, type RegoSettings } from "./open.ts";
export { RegoPolicies } from "./rego-policies.ts";
export { modulesOf } from "./source-of.ts";
export type {
  BundleState,
  RegoLookup,
  RegoPolicyParts,
  RegoPolicyState,
  ServedBundleUse,
} from "./state.ts";

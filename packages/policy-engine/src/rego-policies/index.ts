export type { ReadSecret } from "./bundle-options.ts";
export { compilerBeside, openRegoPolicies, type RegoSettings } from "./open.ts";
export { RegoPolicies } from "./rego-policies.ts";
export type { RegoLookup, RegoPolicyParts, RegoPolicyState } from "./state.ts";

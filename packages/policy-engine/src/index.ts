export * from "./inventory/index.ts";
export * from "./mutation/index.ts";
export * from "./native/index.ts";
export * from "./offline/index.ts";
export * from "./pod-security/index.ts";
export * from "./policy-set/index.ts";
export * from "./policy-tests/index.ts";
export {
  compilerBeside,
  openRegoPrograms,
  type PlainObject,
  type RegoLookup,
  RegoPrograms,
  type RegoSource,
  type RegoState,
} from "./rego/index.ts";

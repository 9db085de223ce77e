export * from "./inventory/index.ts";
export * from "./mutation/index.ts";
export * from "./native/index.ts";
export * from "./offline/index.ts";
export * from "./pod-security/index.ts";
export * from "./policy-set/index.ts";
export * from "./policy-tests/index.ts";
export type { PlainObject } from "./rego/index.ts";
export * from "./rego-policies/index.ts";

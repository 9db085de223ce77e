export * from "./pod-security/index.ts";
export * from "./policy-set/index.ts";

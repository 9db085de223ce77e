export * from "./clock/clock.ts";
export * from "./clock/manual-clock.ts";
export * from "./kubernetes/index.ts";
export * from "./transport/index.ts";
export * from "./credentials/index.ts";
export * from "./cache/index.ts";
export * from "./apply/index.ts";

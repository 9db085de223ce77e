export * from "./clock/clock.ts";
export * from "./clock/manual-clock.ts";

export * from "./conditions.ts";
export * from "./refusal.ts";

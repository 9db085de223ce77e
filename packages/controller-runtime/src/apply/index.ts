export * from "./apply-if-changed.ts";
export { ApplyMemory } from "./apply-memory.ts";
export { differenceFromApplied, ownEntry } from "./fields-v1.ts";

export { conflictingPath, isStoredObject } from "./data-conflict.ts";
export type { RegoProgram, RegoQuestion } from "./program.ts";
export { RegoPrograms, type RegoProgramsOptions, type Timers } from "./programs.ts";
export type { RegoSource } from "./source.ts";
export type { RegoState } from "./state.ts";

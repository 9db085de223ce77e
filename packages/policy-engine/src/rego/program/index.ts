export { compilerBeside, openRegoPrograms, type RegoSettings } from "./open.ts";
export type { RegoProgram, RegoQuestion } from "./program.ts";
export { RegoPrograms, type RegoProgramsOptions, type Timers } from "./programs.ts";
export type { RegoSource } from "./source.ts";
export type { RegoLookup, RegoState } from "./state.ts";

export { PlanError } from "./errors.ts";
export { loadPlan, planLimits } from "./load.ts";
export { below, field, type Place, readInteger, readList, readObject, readText } from "./reader.ts";
export type { Plan, PlanFunction, RegoPlan, SourceLocation } from "./statements.ts";

/** What tests and tools of this repository use of the operator; processes start it through `./main`. */
export type { OperatorContext } from "./context.ts";
export { type FleetSources, registerFleetMetrics } from "./fleet-metrics.ts";
export { createMetrics, type OperatorMetrics } from "./metrics.ts";
export * from "./names.ts";
export { buildOperator, type OperatorParts } from "./operator.ts";
export { controllerRbac, operatorRbac, type RbacNeeds, type RbacRule } from "./rbac.ts";

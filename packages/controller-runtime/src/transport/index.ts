export * from "./api-error.ts";
export * from "./client.ts";
export * from "./client-types.ts";
export type { Query } from "./resource-path.ts";
export * from "./transport-metrics.ts";

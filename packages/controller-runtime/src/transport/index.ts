export * from "./api-error.ts";
export * from "./client.ts";
export { discoverKind, discoverResource, type NamedResource } from "./discovery.ts";
export * from "./field-manager-conflict.ts";
export { type ClientOptions, createClient, watchError } from "./kube-client.ts";
export type { Query } from "./resource-path.ts";
export * from "./transport-metrics.ts";

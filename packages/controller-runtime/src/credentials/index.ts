export * from "./credentials.ts";
export * from "./credentials-error.ts";
export { inClusterCredentials, isInCluster } from "./in-cluster.ts";
export * from "./load.ts";

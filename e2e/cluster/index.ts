/** Real Kubernetes clusters for tests, the demo and people. See README.md. */
export { buildArgocd } from "./build/argocd.ts";
export { buildGoBinary, type GoBinary, type SourcePatch } from "./build/go-binary.ts";
export { buildHelm, buildKubernetes, findHelm } from "./build/kubernetes.ts";
export { type ManifestName, publishedFile, publishedManifest } from "./build/published.ts";
export { buildRegoCompiler } from "./build/rego-compiler.ts";
export type { ApiServer, BasicCluster, Cluster, TokenOptions } from "./cluster.ts";
export { type CommandOptions, runCommand } from "./command.ts";
export { ClusterError, type ClusterErrorCode } from "./errors.ts";
export { type Etcd, openEtcd } from "./etcd.ts";
export {
  type AuditPolicy,
  type ClusterOptions,
  type EnvironmentOptions,
  optionsFromEnvironment,
} from "./options.ts";
export { type OpenedCluster, openCluster } from "./providers/open.ts";
export { startCluster } from "./start.ts";
export { removeLeftovers, stopCluster } from "./stop.ts";
export type {
  ClusterNode,
  CommandResult,
  KubernetesMinor,
  NodeInfo,
  ProcessHost,
  RunningProcess,
} from "./types.ts";
export { waitFor } from "./wait.ts";

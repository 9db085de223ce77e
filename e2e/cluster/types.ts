/**
 * What the two halves of a cluster agree on: the control plane (this folder) and the nodes (`node/`).
 * Only types live here, so that either half can be read, and tested, without the other.
 */

/** A minor release a cluster can run. One Go module under `modules/` per entry. */
export type KubernetesMinor = "1.37" | "1.34";

/** A process the cluster's watchdog starts and owns: it dies with the cluster, however the cluster ends. */
export interface ProcessSpec {
  /** Unique within the cluster; also the name of its log file. Starting a name again needs the former to have ended. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Added to the watchdog's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface RunningProcess {
  readonly name: string;
  readonly pid: number;
  /** Standard output and standard error, appended across restarts. */
  readonly logFile: string;
  readonly exited: Promise<ProcessExit>;
  /** Sends `signal` (SIGTERM), then SIGKILL after `graceMs` (5,000); resolves when the process is gone. */
  stop(options?: { readonly signal?: NodeJS.Signals; readonly graceMs?: number }): Promise<ProcessExit>;
}

export interface ProcessHost {
  /** Resolves once the process exists; that it does its work is for the caller to wait for. */
  start(spec: ProcessSpec): Promise<RunningProcess>;
}

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** What is known before the first API server starts, because it has to bind to an address of the node network. */
export interface NetworkContext {
  /** Six characters of [a-z0-9], unique among the clusters of this machine: the prefix for bridges, namespaces, chains. */
  readonly id: string;
  /** The cluster's own folder (mode 0700); the node half keeps what it owns under `<dir>/nodes`. */
  readonly dir: string;
  readonly nodes: number;
  readonly apiServers: 1 | 2;
  log(message: string): void;
}

export interface PreparedNetwork {
  /** One address per API server, already assigned to a local interface and reachable from every node. */
  readonly apiServerAddresses: readonly string[];
  /** The Pod range of the whole cluster; the controller manager hands each Node a /24 of it. Distinct between clusters. */
  readonly podCidr: string;
}

/** What the node half is given once the control plane is ready. */
export interface NodesContext extends NetworkContext {
  readonly kubernetes: KubernetesMinor;
  readonly network: PreparedNetwork;
  readonly featureGates: Readonly<Record<string, boolean>>;
  /** Path of a component of the multi-call binary, e.g. `binary("kubelet")`. */
  binary(component: "kubelet" | "kube-proxy" | "kubectl"): string;
  /** Admin kubeconfig. */
  readonly kubeconfig: string;
  readonly apiServerUrl: string;
  readonly caFile: string;
  readonly serviceCidr: string;
  readonly clusterDnsAddress: string;
  readonly clusterDomain: string;
  /** Kubeconfig with a client certificate `system:node:<name>` in group `system:nodes`. */
  nodeKubeconfig(nodeName: string): Promise<string>;
  /** Kubeconfig with a client certificate for user `system:kube-proxy` or any other. */
  clientKubeconfig(identity: {
    readonly commonName: string;
    readonly organizations?: readonly string[];
  }): Promise<string>;
  /**
   * A serving certificate signed by the cluster CA. The API servers verify kubelets against that CA
   * (`--kubelet-certificate-authority`), so every kubelet needs one with its node address.
   */
  servingCertificate(subject: {
    readonly commonName: string;
    readonly organizations?: readonly string[];
    readonly dnsNames: readonly string[];
    readonly ipAddresses: readonly string[];
  }): Promise<CertificateFiles>;
  readonly processes: ProcessHost;
  kubectl(args: readonly string[], options?: { readonly input?: string }): Promise<CommandResult>;
}

export interface NodeInfo {
  readonly name: string;
  readonly address: string;
  readonly podCidr: string;
}

/** One node of a cluster. It can be taken down and brought back, to test what that does to what runs on it. */
export interface ClusterNode extends NodeInfo {
  /**
   * As when its power fails: kubelet, container runtime, shims and every container are killed at once. The Node object
   * stays, and the API server learns of it as it would of any node's.
   */
  kill(): Promise<void>;
  /** Boots it again with the same disk and the same name; resolves when its kubelet has reported and it is Ready. */
  start(): Promise<void>;
}

/** The nodes of one running cluster. The node half may return an object with more than this. */
export interface NodesHandle {
  readonly nodes: readonly ClusterNode[];
}

/**
 * What `node/index.ts` exports. It is imported only when a cluster has nodes.
 *
 * Processes go through `context.processes`. Everything else that outlives a process (network namespaces, bridges,
 * mounts, rules, shims) is found again from `id` and `dir` alone by `tearDown`, which `node/teardown.ts` exports and
 * which must be idempotent: it runs after every process of the cluster is dead, in the watchdog, or in another process
 * after a crash. It must not depend on anything kept in memory.
 */
export interface NodeHalf {
  /** Names what is missing (root, a Debian package, a kernel feature) with the command that installs it, or returns. */
  checkPrerequisites(): Promise<void>;
  /** Builds what the nodes need into the cache; called while the control plane starts. */
  buildNodeBinaries(): Promise<void>;
  prepareNetwork(context: NetworkContext): Promise<PreparedNetwork>;
  /** Resolves when every Node is Ready and cluster DNS answers. */
  startNodes(context: NodesContext): Promise<NodesHandle>;
}

export interface NodeTeardown {
  tearDown(context: { readonly id: string; readonly dir: string; log(message: string): void }): Promise<void>;
}

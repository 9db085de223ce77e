/** Starts a cluster: builds what is missing, brings the control plane up, then the nodes. */
import { randomInt } from "node:crypto";
import { join } from "node:path";
import { buildKubernetes, defaultKubernetes } from "./build/kubernetes.ts";
import { type Cluster, kubectl, requestToken } from "./cluster.ts";
import { claimFolder } from "./cluster-folder.ts";
import { bringUp, type ControlPlane } from "./control-plane/bring-up.ts";
import { ClusterError } from "./errors.ts";
import { nodesContext } from "./nodes-context.ts";
import { type ClusterOptions, checkOptions } from "./options.ts";
import { type OwnedApiServer, withSlices } from "./owned-api-server.ts";
import { identityOf } from "./process-identity.ts";
import { newState } from "./state.ts";
import { tearDown } from "./teardown.ts";
import type { ClusterNode, KubernetesMinor, NetworkContext, NodeHalf } from "./types.ts";
import { Watchdog } from "./watchdog/client.ts";

/**
 * Resolves when the control plane is ready: every API server ready and listed in the `kubernetes` EndpointSlice, the
 * controllers running, the `default` ServiceAccount there; and, with nodes, every Node Ready.
 * The cluster ends with this process unless it is detached. Throws `ClusterError`; nothing is left behind then.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  checkOptions(options);
  const log = options.log ?? (() => undefined);
  const kubernetes = options.kubernetes ?? defaultKubernetes;
  const nodes = options.nodes ?? 0;
  const nodeHalf = nodes > 0 ? await loadNodeHalf() : undefined;
  await nodeHalf?.checkPrerequisites();
  const binary = await buildKubernetes(kubernetes);
  await nodeHalf?.buildNodeBinaries();

  const id = randomId();
  const name = options.name ?? `test-${id}`;
  const owner = await identityOf(process.pid);
  if (owner === undefined) throw new Error("this process has no identity");
  const dir = await claimFolder(newState({ name, id, kubernetes, nodes, owner }), binary, log);
  const watchdog = new Watchdog(dir);
  try {
    return await start({ dir, id, name, kubernetes, options, watchdog, nodeHalf, log: withSeconds(log) });
  } catch (error) {
    await watchdog.shutdown().catch(() => tearDown(dir, log));
    throw error;
  }
}

/** Only a cluster with nodes pays for loading what nodes need. */
export async function loadNodeHalf(): Promise<NodeHalf> {
  return await import("./node/index.ts");
}

interface StartInputs {
  readonly dir: string;
  readonly id: string;
  readonly name: string;
  readonly kubernetes: KubernetesMinor;
  readonly options: ClusterOptions;
  readonly watchdog: Watchdog;
  readonly nodeHalf: NodeHalf | undefined;
  log(message: string): void;
}

async function start(inputs: StartInputs): Promise<Cluster> {
  const { dir, id, name, kubernetes, options, watchdog, nodeHalf, log } = inputs;
  const base: NetworkContext = {
    id,
    dir,
    log,
    nodes: options.nodes ?? 0,
    apiServers: options.apiServers ?? 1,
  };
  const network = await nodeHalf?.prepareNetwork(base);
  const plane = await bringUp({ dir, name, options, watchdog, network, log });
  let nodes: readonly ClusterNode[] = [];
  if (nodeHalf !== undefined && network !== undefined) {
    const featureGates = options.featureGates ?? {};
    const apiServerUrl = plane.first.url;
    const given = { base, kubernetes, network, featureGates, apiServerUrl, processes: watchdog };
    nodes = (await nodeHalf.startNodes(nodesContext({ ...plane, ...given }))).nodes;
    log("the nodes are ready");
  }
  await watchdog.remember({ isReady: true, apiServers: plane.apiServers.map((server) => server.url) });
  return ownedCluster(inputs, plane, nodes);
}

function ownedCluster(inputs: StartInputs, plane: ControlPlane, nodes: readonly ClusterNode[]): Cluster {
  const { dir, id, name, kubernetes, watchdog, log } = inputs;
  const { apiServers, kubeconfigs, kubeconfig } = plane;
  const stop = async (): Promise<void> => {
    for (const server of apiServers) server.endpoint.close();
    // A watchdog that dies while it is asked leaves the rest to its owner.
    await watchdog.shutdown().catch(async (error: unknown) => {
      if (!(error instanceof ClusterError) || error.code !== "WATCHDOG_GONE") throw error;
      await tearDown(dir, log);
    });
  };
  return {
    name,
    id,
    dir,
    kubernetes,
    kubeconfig,
    nodes,
    caPem: plane.pki.authority.certificatePem,
    apiServers: plane.plan.publication === "written" ? withSlices(apiServers) : apiServers,
    auditLog: plane.auditLog,
    binary: (component) => join(dir, "bin", component),
    kubectl: (args, options) => kubectl(join(dir, "bin", "kubectl"), kubeconfig, dir, args, options),
    serviceAccountKubeconfig: async (namespace, account, { expirationSeconds, apiServer = 0 } = {}) => {
      const { endpoint } = running(apiServers, apiServer);
      const token = await requestToken(endpoint, namespace, account, expirationSeconds);
      return await kubeconfigs.token(namespace, account, token, apiServer);
    },
    clientKubeconfig: (identity) => kubeconfigs.client(identity),
    kubeconfigFor: (apiServer) =>
      kubeconfigs.admin(join(dir, "kubeconfigs", `admin-${apiServer + 1}.kubeconfig`), apiServer),
    processes: watchdog,
    detach: () => watchdog.detach(),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** The API server that is wanted, or while it is down another one. */
function running(apiServers: readonly OwnedApiServer[], wanted: number): OwnedApiServer {
  const preferred = apiServers[wanted];
  const server = preferred?.pid === undefined ? apiServers.find(({ pid }) => pid !== undefined) : preferred;
  if (server === undefined) throw new Error("no API server is running");
  return server;
}

function withSeconds(log: (message: string) => void): (message: string) => void {
  const began = performance.now();
  return (message) => log(`${((performance.now() - began) / 1000).toFixed(1)} s: ${message}`);
}

function randomId(): string {
  const letters = "abcdefghijklmnopqrstuvwxyz0123456789";
  return Array.from({ length: 6 }, () => letters[randomInt(letters.length)]).join("");
}

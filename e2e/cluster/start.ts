/** Starts a cluster: builds what is missing, then brings the components up in the order they need each other. */
import { randomInt } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildKubernetes } from "./build/kubernetes.ts";
import {
  type Cluster,
  KubeconfigWriter,
  kubectl,
  OwnedApiServer,
  requestToken,
  serverUrl,
} from "./cluster.ts";
import { claimFolder } from "./cluster-folder.ts";
import {
  type AddressPlan,
  freePort,
  machineInputs,
  planAddresses,
  privateAddress,
} from "./control-plane/addresses.ts";
import { urlHost } from "./control-plane/certificates.ts";
import { Component } from "./control-plane/component.ts";
import { Endpoint } from "./control-plane/endpoint.ts";
import {
  apiServerArgs,
  auditPolicy,
  clusterDnsAddress,
  clusterDomain,
  controllerManagerArgs,
  type EtcdPlan,
  etcdArgs,
  schedulerArgs,
  serviceCidr,
} from "./control-plane/flags.ts";
import { createPkiFolder, type PkiFolder, writePair } from "./control-plane/pki-folder.ts";
import { addLoopbackAddress, canAddLoopbackAddress } from "./loopback-address.ts";
import { type ClusterOptions, checkOptions } from "./options.ts";
import { identityOf } from "./process-identity.ts";
import { listedServers, publishServer, withdrawServer } from "./service-endpoints.ts";
import { newState } from "./state.ts";
import { tearDown } from "./teardown.ts";
import type { NodeHalf, NodeInfo, NodesContext, PreparedNetwork } from "./types.ts";
import { Watchdog } from "./watchdog/client.ts";

/**
 * Resolves when the control plane is ready: every API server ready and listed in the `kubernetes` EndpointSlice, the
 * controllers running, the `default` ServiceAccount there; and, with nodes, every Node Ready.
 * The cluster ends with this process unless it is detached. Throws `ClusterError`; nothing is left behind then.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  checkOptions(options);
  const log = options.log ?? (() => undefined);
  const kubernetes = options.kubernetes ?? "1.37";
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
    const starting = new Starting({
      dir,
      id,
      name,
      options: { ...options, kubernetes, nodes },
      watchdog,
      log,
      nodeHalf,
    });
    return await starting.run();
  } catch (error) {
    await watchdog.shutdown().catch(() => tearDown(dir, log));
    throw error;
  }
}

interface StartInputs {
  readonly dir: string;
  readonly id: string;
  readonly name: string;
  readonly options: ClusterOptions & Required<Pick<ClusterOptions, "kubernetes" | "nodes">>;
  readonly watchdog: Watchdog;
  readonly nodeHalf: NodeHalf | undefined;
  log(message: string): void;
}

class Starting {
  readonly #in: StartInputs;
  readonly #began = performance.now();

  constructor(inputs: StartInputs) {
    this.#in = inputs;
  }

  async run(): Promise<Cluster> {
    const { dir, watchdog, options } = this.#in;
    const network = await this.#prepareNetwork();
    const plan = await this.#addresses(network);
    const control = privateAddress();
    const pki = await createPkiFolder(
      join(dir, "pki"),
      plan.servers.map((server) => server.address),
      control,
    );
    const kubeconfigs = new KubeconfigWriter(dir, this.#in.name, pki, plan.servers);
    const kubeconfig = await kubeconfigs.admin(join(dir, "kubeconfig"));
    const etcd: EtcdPlan = {
      dataDir: join(dir, "etcd"),
      address: control,
      clientPort: await freePort([control]),
      peerPort: await freePort([control]),
      pki: pki.path,
    };
    const store = this.#component("etcd", "etcd", etcdArgs(etcd));
    await store.start();
    const apiServers = await this.#apiServers(plan, etcd, pki, network);
    const [first] = apiServers;
    if (first === undefined) throw new Error("no API server was planned");
    // An API server waits for etcd by itself; one that gives up, or an etcd that died, shows here.
    await Promise.all(apiServers.map((server) => server.component.start()));
    await first.component.ready(first.endpoint, "/livez/ping");
    this.#log("the first API server answers");
    // The controllers wait for the API server by themselves, so that their start overlaps with its last steps.
    await Promise.all([
      ...apiServers.map((server) => server.component.ready(server.endpoint, "/readyz")),
      this.#controllers(pki, kubeconfigs, control, network),
    ]);
    await this.#settled(plan, apiServers, first);
    await watchdog.remember({ isReady: true, apiServers: apiServers.map((server) => server.url) });
    this.#log("the control plane is ready");
    const nodes = await this.#nodes({ network, pki, kubeconfigs, kubeconfig, first });
    return this.#cluster({
      plan,
      apiServers,
      pki,
      kubeconfigs,
      kubeconfig,
      nodes,
      audit: options.audit ?? false,
    });
  }

  async #prepareNetwork(): Promise<PreparedNetwork | undefined> {
    const { nodeHalf, id, dir, options } = this.#in;
    const log = (message: string): void => this.#log(message);
    return await nodeHalf?.prepareNetwork({
      id,
      dir,
      nodes: options.nodes,
      apiServers: options.apiServers ?? 1,
      log,
    });
  }

  async #addresses(network: PreparedNetwork | undefined): Promise<AddressPlan> {
    const prepared = network?.apiServerAddresses ?? [];
    const inputs = machineInputs(this.#in.options.apiServers ?? 1, prepared, await canAddLoopbackAddress());
    const plan = await planAddresses(inputs);
    if (plan.loopbackAddresses.length > 0) {
      await this.#in.watchdog.remember({ loopbackAddresses: plan.loopbackAddresses });
      for (const address of plan.loopbackAddresses) await addLoopbackAddress(address);
    }
    return plan;
  }

  async #apiServers(
    plan: AddressPlan,
    etcd: EtcdPlan,
    pki: PkiFolder,
    network: PreparedNetwork | undefined,
  ): Promise<OwnedApiServer[]> {
    const { dir, options } = this.#in;
    const policyFile = join(dir, "audit-policy.json");
    if (options.audit) await writeFile(policyFile, auditPolicy);
    return plan.servers.map((server, index) => {
      const args = apiServerArgs({
        etcd,
        pki: pki.path,
        ...server,
        endpointReconciler: plan.publication === "lease" ? "lease" : "none",
        hasNodes: network !== undefined,
        ...(options.audit ? { audit: { policyFile, logFile: this.#auditLog } } : {}),
        featureGates: options.featureGates ?? {},
        runtimeConfig: options.runtimeConfig ?? {},
        extraArgs: options.apiServerArgs ?? [],
      });
      const component = this.#component(`kube-apiserver-${index + 1}`, "kube-apiserver", args);
      return new OwnedApiServer(server, component, pki.authority.certificatePem, pki.admin);
    });
  }

  async #controllers(
    pki: PkiFolder,
    kubeconfigs: KubeconfigWriter,
    address: string,
    network: PreparedNetwork | undefined,
  ): Promise<void> {
    const featureGates = this.#in.options.featureGates ?? {};
    const start = async (
      name: string,
      toArgs: (kubeconfig: string, port: number) => string[],
    ): Promise<void> => {
      const port = await freePort([address]);
      const kubeconfig = await kubeconfigs.client({ commonName: `system:${name}` });
      const component = this.#component(name, name, toArgs(kubeconfig, port));
      await component.start();
      const endpoint = new Endpoint(`https://${urlHost(address)}:${port}`, pki.authority.certificatePem);
      await component.ready(endpoint, "/healthz");
      endpoint.close();
    };
    const base = { pki: pki.path, address, featureGates };
    const podCidr = network === undefined ? {} : { podCidr: network.podCidr };
    await Promise.all([
      start("kube-controller-manager", (kubeconfig, port) =>
        controllerManagerArgs({ ...base, ...podCidr, kubeconfig, port }),
      ),
      start("kube-scheduler", (kubeconfig, port) => schedulerArgs({ ...base, kubeconfig, port })),
    ]);
  }

  /** The last things to come into place on their own, and the first a test would stumble over. */
  async #settled(
    plan: AddressPlan,
    apiServers: readonly OwnedApiServer[],
    first: OwnedApiServer,
  ): Promise<void> {
    if (plan.publication === "written") {
      for (const [index, server] of apiServers.entries()) await publishServer(first.endpoint, index, server);
    }
    const account = "/api/v1/namespaces/default/serviceaccounts/default";
    const isListed = async (): Promise<boolean> => {
      if (plan.publication === "absent") return true;
      const listed = await listedServers(first.endpoint);
      return plan.servers.every((server) => listed.includes(`${server.address}:${server.port}`));
    };
    await Promise.all([
      first.component.until(
        "the default ServiceAccount",
        async () => (await first.endpoint.get(account)).status === 200,
      ),
      first.component.until("the listing of every API server in the kubernetes EndpointSlice", isListed),
    ]);
  }

  async #nodes(running: {
    readonly network: PreparedNetwork | undefined;
    readonly pki: PkiFolder;
    readonly kubeconfigs: KubeconfigWriter;
    readonly kubeconfig: string;
    readonly first: OwnedApiServer;
  }): Promise<readonly NodeInfo[]> {
    const { nodeHalf, dir, id, options, watchdog } = this.#in;
    const { network, pki, kubeconfigs, kubeconfig, first } = running;
    if (nodeHalf === undefined || network === undefined) return [];
    let certificates = 0;
    const context: NodesContext = {
      id,
      dir,
      nodes: options.nodes,
      apiServers: options.apiServers ?? 1,
      log: (message) => this.#log(message),
      kubernetes: options.kubernetes,
      network,
      featureGates: options.featureGates ?? {},
      binary: (component) => join(dir, "bin", component),
      kubeconfig,
      apiServerUrl: first.url,
      caFile: join(pki.path, "ca.crt"),
      serviceCidr,
      clusterDnsAddress,
      clusterDomain,
      nodeKubeconfig: (nodeName) =>
        kubeconfigs.client({ commonName: `system:node:${nodeName}`, organizations: ["system:nodes"] }),
      clientKubeconfig: (identity) => kubeconfigs.client(identity),
      servingCertificate: async (subject) => {
        const stem = join(pki.path, `serving-${++certificates}`);
        return await writePair(stem, await pki.authority.issue(subject, "server"));
      },
      processes: watchdog,
      kubectl: (args, input) => kubectl(join(dir, "bin", "kubectl"), kubeconfig, dir, args, input),
    };
    const handle = await nodeHalf.startNodes(context);
    this.#log("the nodes are ready");
    return handle.nodes;
  }

  #cluster(parts: {
    readonly plan: AddressPlan;
    readonly apiServers: readonly OwnedApiServer[];
    readonly pki: PkiFolder;
    readonly kubeconfigs: KubeconfigWriter;
    readonly kubeconfig: string;
    readonly nodes: readonly NodeInfo[];
    readonly audit: boolean;
  }): Cluster {
    const { dir, id, name, options, watchdog } = this.#in;
    const { apiServers, kubeconfigs, kubeconfig } = parts;
    const live = (wanted: number): OwnedApiServer => {
      const server =
        apiServers[wanted]?.pid === undefined ? apiServers.find((one) => one.pid) : apiServers[wanted];
      if (server === undefined) throw new Error("no API server is running");
      return server;
    };
    const stop = async (): Promise<void> => {
      for (const server of apiServers) server.endpoint.close();
      await watchdog.shutdown();
    };
    return {
      name,
      id,
      dir,
      kubernetes: options.kubernetes,
      kubeconfig,
      caPem: parts.pki.authority.certificatePem,
      apiServers: parts.plan.publication === "written" ? withSlices(apiServers) : apiServers,
      nodes: parts.nodes,
      auditLog: parts.audit ? this.#auditLog : undefined,
      binary: (component) => join(dir, "bin", component),
      kubectl: (args, input) => kubectl(join(dir, "bin", "kubectl"), kubeconfig, dir, args, input),
      serviceAccountKubeconfig: async (namespace, account, { expirationSeconds, apiServer = 0 } = {}) => {
        const token = await requestToken(live(apiServer).endpoint, namespace, account, expirationSeconds);
        return await kubeconfigs.token(namespace, account, token, apiServer);
      },
      clientKubeconfig: (identity) => kubeconfigs.client(identity),
      kubeconfigFor: (apiServer) =>
        kubeconfigs.admin(join(dir, "kubeconfigs", `admin-${apiServer + 1}.kubeconfig`), apiServer),
      detach: () => watchdog.detach(),
      stop,
      [Symbol.asyncDispose]: stop,
    };
  }

  get #auditLog(): string {
    return join(this.#in.dir, "logs", "audit.log");
  }

  #component(name: string, program: string, args: readonly string[]): Component {
    return new Component(this.#in.watchdog, { name, command: join(this.#in.dir, "bin", program), args });
  }

  #log(message: string): void {
    this.#in.log(`${((performance.now() - this.#began) / 1000).toFixed(1)} s: ${message}`);
  }
}

/** Keeps the EndpointSlices of servers that share an address in step with what runs. */
function withSlices(apiServers: readonly OwnedApiServer[]) {
  return apiServers.map((server, index) => {
    const withdraw = async (): Promise<void> => {
      const other = apiServers.find((candidate) => candidate.pid !== undefined);
      if (other) await withdrawServer(other.endpoint, index);
    };
    return {
      url: serverUrl(server),
      address: server.address,
      port: server.port,
      get pid() {
        return server.pid;
      },
      stop: async () => {
        await server.stop();
        await withdraw();
      },
      kill: async () => {
        await server.kill();
        await withdraw();
      },
      start: async () => {
        await server.start();
        await publishServer(server.endpoint, index, server);
      },
    };
  });
}

/** Only a cluster with nodes pays for loading what nodes need. */
export async function loadNodeHalf(): Promise<NodeHalf> {
  return await import("./node/index.ts");
}

function randomId(): string {
  const letters = "abcdefghijklmnopqrstuvwxyz0123456789";
  return Array.from({ length: 6 }, () => letters[randomInt(letters.length)]).join("");
}

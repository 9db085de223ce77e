/** Brings a control plane up, each component as soon as what it needs is there. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { KubeconfigWriter } from "../cluster.ts";
import { addLoopbackAddress, canAddLoopbackAddress } from "../loopback-address.ts";
import type { ClusterOptions } from "../options.ts";
import { OwnedApiServer } from "../owned-api-server.ts";
import { listedServers, publishServer } from "../service-endpoints.ts";
import type { PreparedNetwork } from "../types.ts";
import type { Watchdog } from "../watchdog/client.ts";
import { type AddressPlan, freePort, machineInputs, planAddresses, privateAddress } from "./addresses.ts";
import { urlHost } from "./certificates.ts";
import { Component } from "./component.ts";
import { Endpoint } from "./endpoint.ts";
import {
  apiServerArgs,
  auditPolicyFile,
  controllerManagerArgs,
  type EtcdPlan,
  etcdArgs,
  schedulerArgs,
} from "./flags.ts";
import { createPkiFolder, type PkiFolder } from "./pki-folder.ts";

export interface BringUpInputs {
  /** The folder of the cluster, with `bin` and `logs` in it. */
  readonly dir: string;
  readonly name: string;
  readonly options: ClusterOptions;
  readonly watchdog: Watchdog;
  /** Set when the cluster will have nodes. */
  readonly network: PreparedNetwork | undefined;
  log(message: string): void;
}

export interface ControlPlane {
  readonly plan: AddressPlan;
  readonly pki: PkiFolder;
  readonly kubeconfigs: KubeconfigWriter;
  /** Path of the admin kubeconfig. */
  readonly kubeconfig: string;
  /** At least one. */
  readonly apiServers: readonly OwnedApiServer[];
  readonly first: OwnedApiServer;
  readonly auditLog: string | undefined;
}

export async function bringUp(inputs: BringUpInputs): Promise<ControlPlane> {
  const { dir, name, log } = inputs;
  const plan = await assignAddresses(inputs);
  const control = privateAddress();
  const pki = await createPkiFolder(
    join(dir, "pki"),
    plan.servers.map((server) => server.address),
    control,
  );
  const kubeconfigs = new KubeconfigWriter(dir, name, pki, plan.servers);
  const kubeconfig = await kubeconfigs.admin(join(dir, "kubeconfig"));
  const etcd: EtcdPlan = {
    dataDir: join(dir, "etcd"),
    address: control,
    clientPort: await freePort([control]),
    peerPort: await freePort([control]),
    pki: pki.path,
  };
  // An API server waits for etcd by itself.
  await component(inputs, "etcd", "etcd", etcdArgs(etcd)).start();
  const auditLog = inputs.options.audit ? join(dir, "logs", "audit.log") : undefined;
  const apiServers = await planApiServers(inputs, plan, etcd, pki, auditLog);
  const [first] = apiServers;
  if (first === undefined) throw new Error("no API server was planned");
  await Promise.all(apiServers.map((server) => server.component.start()));
  await first.component.ready(first.endpoint, "/readyz");
  log("the first API server is ready");
  await Promise.all([
    ...apiServers.slice(1).map((server) => server.component.ready(server.endpoint, "/readyz")),
    startControllers(inputs, pki, kubeconfigs, control),
  ]);
  await settle(plan, apiServers, first);
  log("the control plane is ready");
  return { plan, pki, kubeconfigs, kubeconfig, apiServers, first, auditLog };
}

async function assignAddresses({ options, network, watchdog }: BringUpInputs): Promise<AddressPlan> {
  const prepared = network?.apiServerAddresses ?? [];
  const plan = await planAddresses(
    machineInputs(options.apiServers ?? 1, prepared, await canAddLoopbackAddress()),
  );
  if (plan.loopbackAddresses.length > 0) {
    await watchdog.remember({ loopbackAddresses: plan.loopbackAddresses });
    for (const address of plan.loopbackAddresses) await addLoopbackAddress(address);
  }
  return plan;
}

async function planApiServers(
  inputs: BringUpInputs,
  plan: AddressPlan,
  etcd: EtcdPlan,
  pki: PkiFolder,
  auditLog: string | undefined,
): Promise<OwnedApiServer[]> {
  const { dir, options, network } = inputs;
  const policyFile = join(dir, "audit-policy.json");
  const { audit } = options;
  if (audit !== undefined && audit !== false) await writeFile(policyFile, auditPolicyFile(audit));
  return plan.servers.map((server, index) => {
    const args = apiServerArgs({
      etcd,
      pki: pki.path,
      ...server,
      endpointReconciler: plan.publication === "lease" ? "lease" : "none",
      hasNodes: network !== undefined,
      ...(auditLog === undefined ? {} : { audit: { policyFile, logFile: auditLog } }),
      featureGates: options.featureGates ?? {},
      runtimeConfig: options.runtimeConfig ?? {},
      extraArgs: options.apiServerArgs ?? [],
    });
    const process = component(inputs, `kube-apiserver-${index + 1}`, "kube-apiserver", args);
    return new OwnedApiServer(server, process, pki.authority.certificatePem, pki.admin);
  });
}

/** Started when the API server is ready: the controller manager gives one that is not only ten seconds. */
async function startControllers(
  inputs: BringUpInputs,
  pki: PkiFolder,
  kubeconfigs: KubeconfigWriter,
  address: string,
): Promise<void> {
  const start = async (
    name: string,
    toArgs: (kubeconfig: string, port: number) => string[],
  ): Promise<void> => {
    const port = await freePort([address]);
    const kubeconfig = await kubeconfigs.client({ commonName: `system:${name}` });
    const controller = component(inputs, name, name, toArgs(kubeconfig, port));
    await controller.start();
    const endpoint = new Endpoint(`https://${urlHost(address)}:${port}`, pki.authority.certificatePem);
    await controller.ready(endpoint, "/healthz");
    endpoint.close();
  };
  const base = { pki: pki.path, address, featureGates: inputs.options.featureGates ?? {} };
  const podCidr = inputs.network === undefined ? {} : { podCidr: inputs.network.podCidr };
  await Promise.all([
    start("kube-controller-manager", (kubeconfig, port) =>
      controllerManagerArgs({ ...base, ...podCidr, kubeconfig, port }),
    ),
    start("kube-scheduler", (kubeconfig, port) => schedulerArgs({ ...base, kubeconfig, port })),
  ]);
}

/** The last things to come into place on their own, and the first a test would stumble over. */
async function settle(
  plan: AddressPlan,
  apiServers: readonly OwnedApiServer[],
  first: OwnedApiServer,
): Promise<void> {
  if (plan.publication === "written") {
    for (const [index, server] of apiServers.entries()) await publishServer(first.endpoint, index, server);
  }
  const account = "/api/v1/namespaces/default/serviceaccounts/default";
  const isAccountThere = async (): Promise<boolean> => (await first.endpoint.get(account)).status === 200;
  const areAllListed = async (): Promise<boolean> => {
    if (plan.publication === "absent") return true;
    const listed = await listedServers(first.endpoint);
    return plan.servers.every((server) => listed.includes(`${server.address}:${server.port}`));
  };
  await Promise.all([
    first.component.until("the default ServiceAccount", isAccountThere),
    first.component.until("the listing of every API server in the kubernetes EndpointSlice", areAllListed),
  ]);
}

function component(inputs: BringUpInputs, name: string, program: string, args: readonly string[]): Component {
  return new Component(inputs.watchdog, { name, command: join(inputs.dir, "bin", program), args });
}

/** Hands the node half what it needs of a control plane that is ready. */
import { join } from "node:path";
import { type KubeconfigWriter, kubectl } from "./cluster.ts";
import { clusterDnsAddress, clusterDomain, serviceCidr } from "./control-plane/flags.ts";
import { type PkiFolder, writePair } from "./control-plane/pki-folder.ts";
import type { KubernetesMinor, NetworkContext, NodesContext, PreparedNetwork, ProcessHost } from "./types.ts";

export interface NodesInputs {
  readonly base: NetworkContext;
  readonly kubernetes: KubernetesMinor;
  readonly network: PreparedNetwork;
  readonly featureGates: Readonly<Record<string, boolean>>;
  readonly pki: PkiFolder;
  readonly kubeconfigs: KubeconfigWriter;
  readonly kubeconfig: string;
  readonly apiServerUrl: string;
  readonly processes: ProcessHost;
}

export function nodesContext(inputs: NodesInputs): NodesContext {
  const { base, pki, kubeconfigs, kubeconfig } = inputs;
  const binary = (component: string): string => join(base.dir, "bin", component);
  let certificates = 0;
  return {
    ...base,
    kubernetes: inputs.kubernetes,
    network: inputs.network,
    featureGates: inputs.featureGates,
    binary,
    kubeconfig,
    apiServerUrl: inputs.apiServerUrl,
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
    processes: inputs.processes,
    kubectl: (args, options) => kubectl(binary("kubectl"), kubeconfig, base.dir, args, options),
  };
}

/** The kubelet of a node: its configuration file and its start. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CertificateFiles, NodesContext } from "../types.ts";
import { containerdSocket } from "./containerd.ts";
import type { Machine } from "./machine.ts";
import type { NodePlan } from "./plan.ts";

export interface KubeletPlan {
  readonly address: string;
  readonly caFile: string;
  readonly serving: CertificateFiles;
  readonly clusterDnsAddress: string;
  readonly clusterDomain: string;
  readonly podControlGroup: string;
  readonly resolvConf: string;
  readonly featureGates: Readonly<Record<string, boolean>>;
}

/** KubeletConfiguration (kubelet.config.k8s.io/v1beta1) as JSON, which is YAML. */
export function kubeletConfig(plan: KubeletPlan): object {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    address: plan.address,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: plan.caFile },
    },
    authorization: { mode: "Webhook" },
    tlsCertFile: plan.serving.certFile,
    tlsPrivateKeyFile: plan.serving.keyFile,
    containerRuntimeEndpoint: `unix://${containerdSocket}`,
    clusterDNS: [plan.clusterDnsAddress],
    clusterDomain: plan.clusterDomain,
    resolvConf: plan.resolvConf,
    volumePluginDir: "/var/lib/kubelet/volume-plugins",
    readOnlyPort: 0,
    // Groups are made by hand, in one place that tear-down knows; hierarchies of a build machine vary.
    cgroupDriver: "cgroupfs",
    cgroupRoot: plan.podControlGroup,
    cgroupsPerQOS: true,
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    localStorageCapacityIsolation: false,
    // A test must not be evicted because the machine's disk is 85 % full.
    evictionHard: {
      "memory.available": "0%",
      "nodefs.available": "0%",
      "nodefs.inodesFree": "0%",
      "imagefs.available": "0%",
      "imagefs.inodesFree": "0%",
    },
    imageGCHighThresholdPercent: 100,
    serializeImagePulls: false,
    // Lets settings that need more rights than root has here fail without the kubelet giving up.
    featureGates: { ...plan.featureGates, KubeletInUserNamespace: true },
    logging: { verbosity: 2 },
  };
}

export async function startKubelet(machine: Machine, node: NodePlan, context: NodesContext): Promise<void> {
  const [kubeconfig, serving] = await Promise.all([
    context.nodeKubeconfig(node.name),
    context.servingCertificate({
      commonName: `system:node:${node.name}`,
      organizations: ["system:nodes"],
      dnsNames: [node.name],
      ipAddresses: [node.address],
    }),
  ]);
  const resolvConf = join(machine.dir, "resolv.conf");
  // For Pods with `dnsPolicy: Default`: there is no resolver outside the cluster.
  await writeFile(resolvConf, "options ndots:1\n");
  const config = kubeletConfig({
    address: node.address,
    caFile: context.caFile,
    serving,
    clusterDnsAddress: context.clusterDnsAddress,
    clusterDomain: context.clusterDomain,
    podControlGroup: machine.podControlGroup,
    resolvConf,
    featureGates: context.featureGates,
  });
  const configFile = join(machine.dir, "kubelet.json");
  await writeFile(configFile, JSON.stringify(config, null, 2));
  await machine.start("kubelet", "kubelet", [
    `--config=${configFile}`,
    `--kubeconfig=${kubeconfig}`,
    `--hostname-override=${node.name}`,
    `--node-ip=${node.address}`,
  ]);
}

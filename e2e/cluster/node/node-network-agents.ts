/** What makes Services and NetworkPolicies work on a node: kube-proxy and kube-router. */
import type { NodesContext } from "../types.ts";
import type { Machine } from "./machine.ts";

/** kube-proxy with nftables, in the node's own network namespace: its rules disappear with it. */
export async function startServiceProxy(
  machine: Machine,
  context: NodesContext,
  kubeconfig: string,
): Promise<void> {
  await machine.start("kube-proxy", "kube-proxy", [
    "--proxy-mode=nftables",
    `--kubeconfig=${kubeconfig}`,
    `--hostname-override=${machine.name}`,
    `--cluster-cidr=${context.network.podCidr}`,
    // Connection tracking limits are the host's; a network namespace may not set them.
    "--conntrack-max-per-core=0",
    "--conntrack-tcp-timeout-established=0s",
    "--conntrack-tcp-timeout-close-wait=0s",
    "--oom-score-adj=0",
    ...gates(context),
  ]);
}

/** kube-router for NetworkPolicy alone: routes are static here and Services are kube-proxy's. Needs the Node's address. */
export async function startPolicyAgent(
  machine: Machine,
  context: NodesContext,
  kubeconfig: string,
): Promise<void> {
  await machine.start("kube-router", "kube-router", [
    "--run-router=false",
    "--run-service-proxy=false",
    "--run-firewall=true",
    `--kubeconfig=${kubeconfig}`,
    `--hostname-override=${machine.name}`,
    `--service-cluster-ip-range=${context.serviceCidr}`,
    "--metrics-port=0",
  ]);
}

function gates(context: NodesContext): string[] {
  const pairs = Object.entries(context.featureGates).map(([name, value]) => `${name}=${value}`);
  return pairs.length === 0 ? [] : [`--feature-gates=${pairs.join(",")}`];
}

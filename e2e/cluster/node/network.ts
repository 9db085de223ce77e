/** The wire between the API servers and the nodes: a bridge on the host, a veth cable to each node, static routes. */

import { readFile } from "node:fs/promises";
import { runCommand } from "../command.ts";
import { ClusterError, systemErrorCode } from "../errors.ts";
import { waitFor } from "../wait.ts";
import { run } from "./command.ts";
import {
  bridgeName,
  firstNumber,
  type NetworkPlan,
  type NodePlan,
  networkCount,
  planNetwork,
} from "./plan.ts";

/**
 * Creates the cluster's bridge on the first free network number and gives it the API servers' addresses.
 * Throws `PREREQUISITE` when the machine holds as many clusters with nodes as it can.
 */
export async function createBridge(
  id: string,
  counts: { nodes: number; apiServers: number },
): Promise<NetworkPlan> {
  const bridge = bridgeName(id);
  await run("ip", ["link", "add", "name", bridge, "type", "bridge"]);
  try {
    const plan = await claimNetwork(id, counts);
    // IPv4 only: no link-local IPv6 address, no router solicitations on the host.
    await run("ip", ["link", "set", "dev", bridge, "addrgenmode", "none"]);
    for (const address of plan.apiServerAddresses) {
      await run("ip", ["address", "add", `${address}/${plan.prefixLength}`, "dev", bridge]);
    }
    await run("ip", ["link", "set", "dev", bridge, "up"]);
    await letBridgedPacketsPass(bridge);
    return plan;
  } catch (error) {
    await removeLinks(id);
    throw error;
  }
}

/**
 * Where Docker runs, the kernel shows bridged packets to iptables and the FORWARD chain drops what it does not know:
 * nodes could then not reach each other. On such a machine, and only there, one rule lets this bridge's own packets by.
 */
async function letBridgedPacketsPass(bridge: string): Promise<void> {
  const setting = "/proc/sys/net/bridge/bridge-nf-call-iptables";
  const isFiltered = await readFile(setting, "utf8").catch((error: unknown) => {
    if (systemErrorCode(error) === "ENOENT") return "0";
    throw error;
  });
  if (isFiltered.trim() !== "1") return;
  if (!(await run("iptables", ["--wait", "-S", "FORWARD"])).includes("-P FORWARD DROP")) return;
  await run("iptables", ["--wait", "--insert", "FORWARD", ...bridgeRule(bridge)]);
}

function bridgeRule(bridge: string): string[] {
  return ["--in-interface", bridge, "--out-interface", bridge, "--jump", "ACCEPT"];
}

async function removeBridgeRule(bridge: string): Promise<void> {
  const rules = await runCommand("iptables", ["--wait", "-S", "FORWARD"]);
  if (!rules.stdout.includes(`-i ${bridge} `)) return;
  await run("iptables", ["--wait", "--delete", "FORWARD", ...bridgeRule(bridge)]);
}

/** Two clusters that start at once cannot get one number: the kernel refuses a name that is taken. */
async function claimNetwork(id: string, counts: { nodes: number; apiServers: number }): Promise<NetworkPlan> {
  const routes = await run("ip", ["-4", "route", "show", "table", "all"]);
  for (let step = 0; step < networkCount; step++) {
    const plan = planNetwork(id, (firstNumber(id) + step) % networkCount, counts);
    if (overlapsRoutes(plan, routes)) continue;
    const args = ["link", "property", "add", "dev", plan.bridge, "altname", plan.claim];
    const { code, stderr } = await runCommand("ip", args);
    if (code === 0) return plan;
    if (!/exist|in use/i.test(stderr)) {
      throw new ClusterError("COMMAND_FAILED", `ip ${args.join(" ")}: ${stderr.trim()}`);
    }
  }
  throw new ClusterError(
    "PREREQUISITE",
    `all ${networkCount} node networks under 198.19.0.0/16 are taken (ip route); stop clusters with: make cluster-down`,
  );
}

/** Whether a route of the host leads into one of the plan's ranges (a VPN, or what another tool set up). */
export function overlapsRoutes(plan: NetworkPlan, routes: string): boolean {
  const destinations = routes.split("\n").flatMap((line) => line.split(" ").slice(0, 2));
  return destinations.some((destination) => {
    const [, a, b, third] = /^(\d+)\.(\d+)\.(\d+)\./.exec(destination) ?? [];
    return a === "198" && b === "19" && Math.floor(Number(third) / 8) === plan.number;
  });
}

/** Plugs the node's network namespace (of process `pid`) into the bridge as `eth0` and sets every route. */
export async function connectNode(plan: NetworkPlan, node: NodePlan, pid: number): Promise<void> {
  const commands = [
    `link add name ${node.hostLink} type veth peer name eth0 netns ${pid}`,
    `link set dev ${node.hostLink} addrgenmode none master ${plan.bridge} up`,
  ];
  await run("ip", ["-batch", "-"], { input: `${commands.join("\n")}\n` });
  const inside = [
    "link set dev lo up",
    `address add ${node.address}/${plan.prefixLength} dev eth0`,
    "link set dev eth0 up",
    `route add default via ${plan.apiServerAddresses[0]}`,
    ...plan.nodes
      .filter((other) => other.name !== node.name)
      .map((other) => `route add ${other.podCidr} via ${other.address}`),
  ];
  await run("nsenter", ["--target", String(pid), "--net", "ip", "-batch", "-"], {
    input: `${inside.join("\n")}\n`,
  });
  // So that an API server reaches webhooks and aggregated APIs that run as Pods.
  await run("ip", ["route", "replace", node.podCidr, "via", node.address, "dev", plan.bridge]);
}

/** Waits until the kernel has taken down a node's cable with its namespace, which it does in its own time. */
export async function cableGone(node: NodePlan): Promise<void> {
  await waitFor(
    `the end of the cable ${node.hostLink}`,
    async () => (await runCommand("ip", ["link", "show", "dev", node.hostLink])).code !== 0,
    { timeoutMs: 20_000, intervalMs: 20 },
  );
}

/** Removes the bridge, its rule and the host's cable ends; routes over them go with them. Nothing to do is fine. */
export async function removeLinks(id: string): Promise<void> {
  const bridge = bridgeName(id);
  await removeBridgeRule(bridge);
  for (const name of linksOf(bridge, await run("ip", ["-oneline", "link", "show"]))) {
    const { code, stderr } = await runCommand("ip", ["link", "delete", "dev", name]);
    // A cable disappears on its own once its node's namespace is gone.
    if (code !== 0 && !/Cannot find device/i.test(stderr)) {
      throw new ClusterError("COMMAND_FAILED", `ip link delete dev ${name}: ${stderr.trim()}`);
    }
  }
}

/** Names of the cluster's links in the output of `ip -oneline link show`, cables before the bridge. */
export function linksOf(bridge: string, links: string): string[] {
  const names = links.split("\n").map((line) => line.split(": ")[1]?.split("@")[0] ?? "");
  return names
    .filter((name) => name === bridge || name.startsWith(`${bridge}-`))
    .sort((a, b) => b.length - a.length);
}

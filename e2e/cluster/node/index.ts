/** The node half of a cluster: see `NodeHalf` in ../types.ts for the contract. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ClusterError } from "../errors.ts";
import type { BuiltArchive } from "../image/build.ts";
import { buildNodeImages } from "../image/node-images.ts";
import type { ClusterNode, NetworkContext, NodesContext, NodesHandle, PreparedNetwork } from "../types.ts";
import { waitFor } from "../wait.ts";
import * as binaries from "./binaries.ts";
import { clusterObjects, policyAgentUser } from "./cluster-objects.ts";
import { run } from "./command.ts";
import { startContainerd } from "./containerd.ts";
import { importImages } from "./images.ts";
import { startKubelet } from "./kubelet.ts";
import { killMachine, type Machine, startMachine } from "./machine.ts";
import { cableGone, connectNode, createBridge } from "./network.ts";
import { startPolicyAgent, startServiceProxy } from "./node-network-agents.ts";
import type { NetworkPlan, NodePlan } from "./plan.ts";

export { loadImage } from "./images.ts";
export { checkPrerequisites, ensurePrerequisites } from "./prerequisites.ts";

export async function buildNodeBinaries(): Promise<void> {
  await buildNodeImages(await binaries.buildNodeBinaries());
}

export async function prepareNetwork(context: NetworkContext): Promise<PreparedNetwork> {
  const plan = await createBridge(context.id, { nodes: context.nodes, apiServers: context.apiServers });
  await mkdir(nodesFolder(context), { recursive: true, mode: 0o700 });
  await writeFile(planFile(context), JSON.stringify(plan, null, 2));
  context.log(`the nodes' network is ${plan.subnet} on ${plan.bridge}`);
  return { apiServerAddresses: plan.apiServerAddresses, podCidr: plan.podCidr };
}

export async function startNodes(context: NodesContext): Promise<NodesHandle> {
  const plan = JSON.parse(await readFile(planFile(context), "utf8")) as NetworkPlan;
  const programs = await binaries.buildNodeBinaries();
  const [images, kubeconfigs] = await Promise.all([
    buildNodeImages(programs),
    agentKubeconfigs(context),
    applyObjects(context, plan),
  ]);
  const start: Start = { context, plan, programs, images, kubeconfigs };
  await Promise.all(plan.nodes.map((node) => startNode(start, node)));
  await clusterDnsAnswers(context, plan);
  return { nodes: plan.nodes.map((node) => clusterNode(start, node)) };
}

function clusterNode(start: Start, node: NodePlan): ClusterNode {
  const { context } = start;
  const { name, address, podCidr } = node;
  return {
    name,
    address,
    podCidr,
    kill: async () => {
      const { killed } = await killMachine(context.id, name);
      await cableGone(node);
      context.log(`${name} is down: ${killed} processes killed`);
    },
    start: async () => {
      const before = await readiness(context, name);
      const machine = await bootNode(start, node);
      // The Node object may still say Ready from before: what counts is that this kubelet has.
      await waitFor(
        `the report of ${name}'s new kubelet`,
        async () => {
          const { status, heartbeat } = await readiness(context, name);
          return status === "True" && heartbeat !== before.heartbeat;
        },
        { timeoutMs: 60_000 },
      );
      await startPolicyAgent(machine, context, start.kubeconfigs.policyAgent);
      context.log(`${name} is back`);
    },
  };
}

interface Start {
  readonly context: NodesContext;
  readonly plan: NetworkPlan;
  readonly programs: binaries.NodeBinaries;
  readonly images: BuiltArchive;
  readonly kubeconfigs: { readonly serviceProxy: string; readonly policyAgent: string };
}

async function startNode(start: Start, node: NodePlan): Promise<void> {
  const { context } = start;
  const machine = await bootNode(start, node);
  await importImages(machine.dir, start.images.archive);
  context.log(`${node.name} has its container runtime, images and kubelet`);
  await nodeReady(context, machine);
  await startPolicyAgent(machine, context, start.kubeconfigs.policyAgent);
  context.log(`${node.name} is Ready`);
}

/** The machine, its network and its daemons but the one that needs a Node that is Ready. */
async function bootNode(start: Start, node: NodePlan): Promise<Machine> {
  const { context, plan, programs, kubeconfigs } = start;
  const machine = await startMachine({
    id: context.id,
    dir: nodesFolder(context),
    node,
    programs: {
      containerd: programs.containerd,
      ctr: programs.containerd,
      "containerd-shim-runc-v2": programs.runcShim,
      "containerd-shim-runsc-v1": programs.runscShim,
      runsc: programs.runsc,
      "kube-router": programs.kubeRouter,
      kubelet: context.binary("kubelet"),
      "kube-proxy": context.binary("kube-proxy"),
    },
    processes: context.processes,
  });
  await connectNode(plan, node, machine.pid);
  await Promise.all([
    startServiceProxy(machine, context, kubeconfigs.serviceProxy),
    startContainerd(machine, node.podCidr, programs.runsc).then(() => startKubelet(machine, node, context)),
  ]);
  return machine;
}

async function agentKubeconfigs(context: NodesContext): Promise<Start["kubeconfigs"]> {
  const [serviceProxy, policyAgent] = await Promise.all([
    context.clientKubeconfig({ commonName: "system:kube-proxy" }),
    context.clientKubeconfig({ commonName: policyAgentUser }),
  ]);
  return { serviceProxy, policyAgent };
}

async function applyObjects(context: NodesContext, plan: NetworkPlan): Promise<void> {
  const objects = clusterObjects({ ...context, nodes: plan.nodes });
  await kubectl(context, ["create", "-f", "-"], JSON.stringify(objects));
}

/** Condition Ready of a Node, and when its kubelet last reported it (whole seconds). */
async function readiness(
  context: NodesContext,
  name: string,
): Promise<{ readonly status: string | undefined; readonly heartbeat: string | undefined }> {
  const ready = '.status.conditions[?(@.type=="Ready")]';
  const path = `{${ready}.status} {${ready}.lastHeartbeatTime}`;
  const [status, heartbeat] = (await kubectl(context, ["get", "node", name, "-o", `jsonpath=${path}`])).split(
    " ",
  );
  return { status, heartbeat };
}

async function nodeReady(context: NodesContext, machine: Machine): Promise<void> {
  await kubectl(context, ["wait", "--for=condition=Ready", `node/${machine.name}`, "--timeout=60s"]);
}

/** Asked from a node through the Service's address, which proves kube-proxy and the path to the Pod as well. */
async function clusterDnsAnswers(context: NodesContext, plan: NetworkPlan): Promise<void> {
  const [first] = plan.nodes;
  if (first === undefined) return;
  const enter = join(nodesFolder(context), first.name, "enter");
  const name = `kubernetes.default.svc.${context.clusterDomain}`;
  await waitFor(
    "an answer of the cluster DNS",
    async () => {
      await run(enter, ["busybox", "timeout", "2", "busybox", "nslookup", name, context.clusterDnsAddress]);
      return true;
    },
    { timeoutMs: 60_000, intervalMs: 100 },
  );
  context.log("cluster DNS answers");
}

async function kubectl(context: NodesContext, args: readonly string[], input?: string): Promise<string> {
  const { stdout, stderr, code } = await context.kubectl(args, input === undefined ? {} : { input });
  if (code !== 0) {
    throw new ClusterError(
      "COMMAND_FAILED",
      `kubectl ${args.join(" ")} ended with status ${code}: ${stderr.trim()}`,
    );
  }
  return stdout;
}

function nodesFolder(context: NetworkContext): string {
  return join(context.dir, "nodes");
}

function planFile(context: NetworkContext): string {
  return join(nodesFolder(context), "network.json");
}

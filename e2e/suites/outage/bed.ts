// A real node with ShieldX as the chart installs it (operator x2, webhooks x3), a policy that fails closed and one that
// fails open, each for namespaces of its own, and one in native form that needs no webhook.
import {
  type Client,
  Deployment,
  type KubeObject,
  type Lease,
  Lease as LeaseType,
  Pod,
  ValidatingWebhookConfiguration,
} from "@shieldx/controller-runtime";
import { buildShieldxImage } from "../../cluster/image/shieldx.ts";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { loadImage } from "../../cluster/node/images.ts";
import { chartFolder, runHelm, valueFlags } from "../../shieldx/chart.ts";
import { clientsOf } from "../../shieldx/clients.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import { apply, enforce, type Manifest, podSecurityPolicy, replicaLimit } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";

/** What the API server says to a Deployment of too many replicas. */
export const replicaRefusal = "at most 5 replicas";

/** Asks for one, by dry run; returns what kubectl printed as errors. */
export async function tooManyReplicas(cluster: Cluster): Promise<string> {
  const many = ["create", "deployment", "many", "--image=none", "--replicas=9"];
  return (await cluster.kubectl([...many, "--dry-run=server", "-n", "kube-public"])).stderr;
}

export const namespace = "shieldx-system";

/** Both columns of the matrix: the namespace is named as its policy. */
export const columns = ["closed", "open"] as const;
export type Column = (typeof columns)[number];

export interface OutageBed {
  readonly cluster: Cluster;
  readonly client: Client;
  kubectl(...args: string[]): Promise<string>;
  stop(): Promise<void>;
}

export async function startOutageBed(name: string): Promise<OutageBed> {
  const [image, cluster] = await Promise.all([buildShieldxImage(), startCluster({ name, nodes: 1 })]);
  const [client] = await clientsOf(cluster);
  const bed: OutageBed = {
    cluster,
    client,
    kubectl: (...args) => mustKubectl(cluster, args),
    async stop() {
      await client.close();
      await cluster.stop();
    },
  };
  try {
    await loadImage(cluster, image.archive);
    await install(cluster, image.name);
    for (const column of columns) {
      await bed.kubectl("create", "namespace", column);
      await bed.kubectl("label", "namespace", column, `column=${column}`);
      await enforce(cluster, columnPolicy(column, column));
    }
    await enforce(cluster, replicaLimit("few-replicas"));
    // An API server takes an admission policy up some time after it holds it.
    await waitFor("few-replicas in force", async () =>
      (await tooManyReplicas(cluster)).includes(replicaRefusal),
    );
    return bed;
  } catch (error) {
    await bed.stop();
    throw error;
  }
}

async function install(cluster: Cluster, image: string): Promise<void> {
  const colon = image.lastIndexOf(":");
  const set = valueFlags({
    "image.repository": image.slice(0, colon),
    "image.tag": image.slice(colon + 1),
    "crds.openReports": "true",
    "networkPolicy.apiServerPorts": `{443,${cluster.apiServers[0]?.port}}`,
  });
  const waiting = ["--create-namespace", "--wait", "--timeout", "180s"];
  await runHelm(cluster, ["install", "shieldx", chartFolder("shieldx"), ...waiting, ...set]);
}

/** Baseline, for namespaces with the label `column` of that value. */
export function columnPolicy(name: string, column: Column | "late"): Manifest {
  return podSecurityPolicy(name, {
    matchConstraints: { namespaceSelector: { matchLabels: { column } } },
    failurePolicy: column === "open" ? "Ignore" : "Fail",
  });
}

export type Component = "operator" | "webhooks";

export async function podsOf({ client }: OutageBed, component: Component): Promise<readonly Pod[]> {
  const labelSelector = `app.kubernetes.io/name=shieldx,app.kubernetes.io/component=${component}`;
  return (await client.list(Pod, { namespace, labelSelector })).items;
}

export async function scale({ client }: OutageBed, component: Component, replicas: number): Promise<void> {
  const key = { name: `shieldx-${component}`, namespace };
  await client.patch(Deployment, key, { spec: { replicas } }, { type: "merge", subresource: "scale" });
}

/** Scales to zero and waits until no Pod is left. */
export async function bringDown(bed: OutageBed, component: Component): Promise<void> {
  await scale(bed, component, 0);
  await endAtOnce(bed, component);
  await waitFor(`the end of the ${component}`, async () => (await podsOf(bed, component)).length === 0, {
    timeoutMs: 60_000,
  });
}

/** Deletes the Pods without grace, as when their node is lost for good. */
export async function endAtOnce(bed: OutageBed, component: Component): Promise<void> {
  for (const { metadata } of await podsOf(bed, component)) {
    await bed.client.delete(Pod, { name: metadata.name, namespace }, { gracePeriodSeconds: 0 });
  }
}

export async function leaseOf({ client }: OutageBed): Promise<Lease | undefined> {
  return client.find(LeaseType, { name: "shieldx-operator", namespace });
}

/** Puts the same caBundle into every entry of our configurations, as somebody who restores a backup would. */
export async function publishBundle({ client }: OutageBed, pem: string): Promise<void> {
  const caBundle = Buffer.from(pem).toString("base64");
  for (const name of ["shieldx-policies-fail", "shieldx-policies-ignore", "shieldx-kinds"]) {
    const found = await client.get(ValidatingWebhookConfiguration, { name });
    const patch = found.webhooks?.map((_, index) => ({
      op: "add",
      path: `/webhooks/${index}/clientConfig/caBundle`,
      value: caBundle,
    }));
    await client.patch(ValidatingWebhookConfiguration, { name }, patch ?? [], { type: "json" });
  }
}

export async function applyObject(bed: OutageBed, object: Manifest): Promise<void> {
  const outcome = await apply(bed.cluster, object);
  if (!outcome.allowed) throw new Error(`refused: ${outcome.message}`);
}

export function asObject(manifest: Manifest): KubeObject {
  return manifest as unknown as KubeObject;
}

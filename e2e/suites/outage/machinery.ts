// What has to work whatever state ShieldX is in: none of it may be asked of a webhook that does not answer.
import {
  type Applicable,
  ConfigMap,
  isNotFound,
  Lease,
  Namespace,
  Node,
  Pod,
} from "@shieldx/controller-runtime";
import { restrictedPod, ShieldPolicy } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";
import { asObject, namespace, type OutageBed } from "./bed.ts";

/** Made while all is well, to be taken away while it is not. */
export async function prepareMachinery(bed: OutageBed, row: string): Promise<void> {
  const { client } = bed;
  const metadata = { name: `doomed-${row}`, labels: { column: "closed" } };
  await client.create(Namespace, { apiVersion: "v1", kind: "Namespace", metadata });
  const inside = { name: "thing", namespace: metadata.name };
  await client.create(ConfigMap, { apiVersion: "v1", kind: "ConfigMap", metadata: inside });
  await client.create(Pod, asObject(restrictedPod(`existing-${row}`, {}, "closed")) as Pod);
}

/** Throws, naming it, where something of the cluster's own does not work. Takes as long as a namespace takes to go. */
export async function checkMachinery(bed: OutageBed, row: string): Promise<void> {
  const { client } = bed;
  await client.delete(Namespace, { name: `doomed-${row}` });
  const checks: Readonly<Record<string, () => Promise<unknown>>> = {
    "Leases everywhere": async () => {
      for (const where of ["kube-system", "kube-node-lease", namespace, "closed"])
        await renew(bed, row, where);
    },
    Nodes: async () => {
      const name = `spare-${row}`;
      await client.create(Node, { apiVersion: "v1", kind: "Node", metadata: { name } });
      await client.patch(Node, { name }, { metadata: { labels: { seen: "yes" } } }, { type: "merge" });
      await client.delete(Node, { name });
    },
    "Pods of kube-system": () =>
      dryRun(bed, restrictedPod("machinery", { hostNetwork: true }, "kube-system")),
    "Pods of ShieldX": () => dryRun(bed, restrictedPod("machinery", {}, namespace)),
    "deleting a Pod": () =>
      client.delete(Pod, { name: `existing-${row}`, namespace: "closed" }, { gracePeriodSeconds: 0 }),
    "editing a policy": () =>
      client.patch(
        ShieldPolicy,
        { name: "closed" },
        { metadata: { annotations: { row } } },
        { type: "merge" },
      ),
  };
  for (const [what, check] of Object.entries(checks)) {
    try {
      await check();
    } catch (cause) {
      throw new Error(`${what} did not work while "${row}"`, { cause });
    }
  }
  await waitFor(
    `the end of namespace doomed-${row}`,
    async () => (await client.find(Namespace, { name: `doomed-${row}` })) === undefined,
    { timeoutMs: 60_000 },
  );
}

async function renew({ client }: OutageBed, row: string, where: string): Promise<void> {
  const key = { name: `outage-${row}`, namespace: where };
  for (const holderIdentity of ["somebody", "somebody else"]) {
    const lease: Applicable<Lease> = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: key,
      spec: { holderIdentity },
    };
    await client.apply(Lease, lease, { fieldManager: "outage", force: true });
  }
  await client.delete(Lease, key).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
}

async function dryRun({ client }: OutageBed, pod: ReturnType<typeof restrictedPod>): Promise<void> {
  await client.create(Pod, asObject(pod) as Pod, { dryRun: true, retries: 0 });
}

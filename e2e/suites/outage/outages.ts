// Every way of being out of order, and how somebody, or nobody, brings ShieldX back.
import {
  type KubeObject,
  Node,
  Pod,
  type ResourceType,
  resourceType,
  Secret,
  ValidatingWebhookConfiguration,
} from "@shieldx/controller-runtime";
import { generateCa, issueLeaf, type KeyPair, storeTrustBundle, tlsSecretEntries } from "@shieldx/pki";
import { waitFor } from "../../shieldx/wait.ts";
import { bringDown, endAtOnce, namespace, type OutageBed, podsOf, publishBundle, scale } from "./bed.ts";
import { judge } from "./verdict.ts";

export interface Outage {
  readonly name: string;
  /** What of ShieldX still works while it lasts: `nothing` answers, `webhooks` judge, the `server` is down itself. */
  readonly left: "nothing" | "webhooks" | "briefly" | "no server";
  /** Resolves when the outage is there. */
  begin(bed: OutageBed): Promise<void>;
  /** What a person or the machine does; nothing where it mends itself. No object of ShieldX's is edited. */
  end(bed: OutageBed): Promise<void>;
}

const dayMs = 86_400_000;
const nothing = async (): Promise<void> => undefined;

interface Material {
  readonly authority: KeyPair;
  readonly leaf: KeyPair;
}

/** A CA and a leaf that were good for a day and ended two days ago. */
async function expired(): Promise<Material> {
  const now = Date.now() - 3 * dayMs;
  const authority = await generateCa({ commonName: "ShieldX webhook CA", now, lifetimeMs: dayMs });
  const service = `shieldx-webhooks.${namespace}.svc`;
  const dnsNames = [service, `${service}.cluster.local`];
  const leaf = await issueLeaf({ ca: authority, dnsNames, ipAddresses: [], now, lifetimeMs: dayMs });
  return { authority, leaf };
}

/** What the Secrets and configurations hold when nobody has renewed anything until the CA's end. */
async function writeExpired(bed: OutageBed): Promise<void> {
  const { authority, leaf } = await expired();
  const state = {
    phase: "Stable",
    sinceMs: authority.notBeforeMs,
    current: authority,
    serving: leaf,
  } as const;
  const caBundle = authority.certificatePem;
  await replaceData(bed, "shieldx-webhooks-ca", { ...storeTrustBundle(state), "bundle.crt": caBundle });
  await replaceData(bed, "shieldx-webhooks-tls", tlsSecretEntries({ caBundle, serving: leaf }));
  await publishBundle(bed, caBundle);
}

async function replaceData({ client }: OutageBed, name: string, text: Record<string, string>): Promise<void> {
  const secret = await client.get(Secret, { name, namespace });
  const data = Object.fromEntries(
    Object.entries(text).map(([key, value]) => [key, Buffer.from(value).toString("base64")]),
  );
  await client.replace(Secret, { ...secret, data });
}

async function untilRefusing(bed: OutageBed, why: RegExp): Promise<void> {
  await waitFor(
    "a Pod refused for want of a webhook",
    async () => {
      const verdict = await judge(bed, "closed", "good");
      return verdict.kind === "refused" && why.test(verdict.message);
    },
    { timeoutMs: 60_000 },
  );
}

async function bothDown(bed: OutageBed): Promise<void> {
  await Promise.all([bringDown(bed, "operator"), bringDown(bed, "webhooks")]);
}

async function bothUp(bed: OutageBed): Promise<void> {
  await scale(bed, "webhooks", 3);
  await scale(bed, "operator", 2);
}

const Eviction: ResourceType = resourceType<KubeObject>({
  group: "policy",
  version: "v1",
  kind: "Eviction",
  plural: "evictions",
  namespaced: true,
});

export const outages: readonly Outage[] = [
  {
    name: "webhook Pods deleted",
    left: "briefly",
    begin: (bed) => endAtOnce(bed, "webhooks"),
    end: nothing,
  },
  {
    name: "scaled to zero",
    left: "nothing",
    begin: (bed) => bringDown(bed, "webhooks"),
    end: (bed) => scale(bed, "webhooks", 3),
  },
  {
    name: "expired CA, operator dead",
    left: "nothing",
    async begin(bed) {
      await bringDown(bed, "operator");
      await writeExpired(bed);
      await untilRefusing(bed, /x509|expired/);
    },
    end: (bed) => scale(bed, "operator", 2),
  },
  {
    name: "expired CA, everything down",
    left: "nothing",
    async begin(bed) {
      await bothDown(bed);
      await writeExpired(bed);
    },
    end: bothUp,
  },
  { name: "expired CA, everything up", left: "briefly", begin: writeExpired, end: nothing },
  {
    name: "Secrets lost, stale caBundle",
    left: "nothing",
    async begin(bed) {
      await bothDown(bed);
      const { authority } = await expired();
      await publishBundle(bed, authority.certificatePem);
      for (const name of ["shieldx-webhooks-ca", "shieldx-webhooks-tls"]) {
        await bed.client.delete(Secret, { name, namespace });
      }
    },
    end: bothUp,
  },
  {
    name: "API server restarted",
    left: "no server",
    begin: async ({ cluster }) => void (await cluster.apiServers[0]?.stop()),
    end: async ({ cluster }) => void (await cluster.apiServers[0]?.start()),
  },
  {
    name: "API server killed",
    left: "no server",
    begin: async ({ cluster }) => void (await cluster.apiServers[0]?.kill()),
    end: async ({ cluster }) => void (await cluster.apiServers[0]?.start()),
  },
  {
    name: "node restarted",
    left: "nothing",
    begin: async ({ cluster }) => void (await cluster.nodes[0]?.kill()),
    end: async ({ cluster }) => void (await cluster.nodes[0]?.start()),
  },
  {
    name: "operator dead",
    left: "webhooks",
    begin: (bed) => bringDown(bed, "operator"),
    end: (bed) => scale(bed, "operator", 2),
  },
  {
    name: "operator dead, tampered with",
    left: "nothing",
    async begin(bed) {
      await bringDown(bed, "operator");
      for (const name of ["shieldx-policies-fail", "shieldx-policies-ignore", "shieldx-kinds"]) {
        const whole = await bed.client.get(ValidatingWebhookConfiguration, { name });
        if (name === "shieldx-policies-ignore") {
          await bed.client.delete(ValidatingWebhookConfiguration, { name });
          continue;
        }
        // Somebody points it where nobody answers.
        const patch = whole.webhooks?.map((_, index) => ({
          op: "replace",
          path: `/webhooks/${index}/clientConfig/service/name`,
          value: "nobody",
        }));
        await bed.client.patch(ValidatingWebhookConfiguration, { name }, patch ?? [], { type: "json" });
      }
      await untilRefusing(bed, /nobody/);
    },
    end: (bed) => scale(bed, "operator", 2),
  },
  {
    name: "node drained",
    left: "webhooks",
    async begin(bed) {
      const [node] = bed.cluster.nodes;
      await bed.client.patch(
        Node,
        { name: node?.name ?? "" },
        { spec: { unschedulable: true } },
        { type: "merge" },
      );
      const evicted: string[] = [];
      for (const { metadata } of await podsOf(bed, "webhooks")) {
        const path = `/api/v1/namespaces/${namespace}/pods/${metadata.name}/eviction`;
        const body = {
          apiVersion: "policy/v1",
          kind: Eviction.kind,
          metadata: { name: metadata.name, namespace },
        };
        const { status } = await bed.client.request("POST", path, { body, retries: 0 }).catch((error) => ({
          status: (error as { code?: number }).code ?? 0,
        }));
        if (status === 201) evicted.push(metadata.name);
        else if (status !== 429) throw new Error(`eviction of ${metadata.name} answered ${status}`);
      }
      if (evicted.length !== 1) throw new Error(`evicted ${evicted.length} of 3 replicas instead of one`);
      await waitFor(
        "the end of the evicted replica",
        async () => (await bed.client.find(Pod, { name: evicted[0] ?? "", namespace })) === undefined,
        { timeoutMs: 90_000 },
      );
    },
    async end({ client, cluster }) {
      const [node] = cluster.nodes;
      await client.patch(
        Node,
        { name: node?.name ?? "" },
        { spec: { unschedulable: false } },
        { type: "merge" },
      );
    },
  },
];

/** What CI runs. */
export const core: readonly string[] = ["scaled to zero", "expired CA, operator dead", "node restarted"];

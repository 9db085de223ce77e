import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { type Manifest, podSecurityPolicy, read, restrictedPod } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";

const HOUR_MS = 3_600_000;

export interface SteadyState {
  /** Half of them `cel`, half `podSecurity`. */
  readonly policies: number;
  readonly exceptions: number;
  readonly pods: number;
  readonly seconds: number;
}

/** Once everything is said, nobody of ShieldX writes: judged by the API server's audit log. */
export function steadyStateSuite({ policies, exceptions, pods, seconds }: SteadyState): void {
  describe(`${policies + exceptions} reconciled objects and ${pods} audited Pods, left alone`, () => {
    let cluster: Cluster;
    let shieldx: ShieldxOnHost;
    beforeAll(async () => {
      cluster = await startCluster({ audit: true });
      shieldx = await startShieldxOnHost(cluster, { tokenSeconds: 12 * 3600 });
    });
    afterAll(async () => {
      await shieldx?.stop();
      await cluster?.stop();
    });

    it(
      `writes nothing but Leases in ${seconds} s`,
      async () => {
        const objects = [
          ...Array.from({ length: pods }, (_, i) =>
            restrictedPod(`steady-${i}`, { hostNetwork: i % 2 === 0 }),
          ),
          ...Array.from({ length: policies }, (_, i) => (i % 2 === 0 ? celPolicy(i) : webhookPolicy(i))),
          ...Array.from({ length: exceptions }, (_, i) => exception(i, policies)),
        ];
        await createAll(cluster, objects);
        const ready = await waitFor(
          "every object says how it is",
          () => allObserved(cluster, objects.length),
          {
            timeoutMs: 240_000,
            everyMs: 1000,
          },
        );
        expect(ready).toBe(policies + exceptions);
        await waitFor(
          "the last write is some seconds old",
          async () => quietMs(await ours(cluster)) > 8_000,
          {
            timeoutMs: 240_000,
            everyMs: 1000,
          },
        );

        const before = await ours(cluster);
        const from = Date.now();
        await delay(seconds * 1000);
        const all = (await ours(cluster)).filter(({ at }) => at > from);
        const leases = all.filter(({ resource }) => resource === "leases").length;
        // Once an hour the audit tells that it has watched.
        const hours = Math.floor(Date.now() / HOUR_MS) - Math.floor((from - 10_000) / HOUR_MS);
        const records = all.filter(({ what }) => what.endsWith(" configmaps/shieldx-findings"));
        const stored = all.filter((write) => write.resource !== "leases" && !records.includes(write));
        expect(records.length).toBeLessThanOrEqual(hours);
        console.log(
          `${seconds} s over ${policies + exceptions} objects: ${stored.length} writes to stored objects, ` +
            `${leases} Lease renewals; ${before.length} writes before`,
        );
        expect(before.length).toBeGreaterThan(policies);
        expect(leases).toBeGreaterThan(seconds / 20);
        expect(stored).toEqual([]);
      },
      (seconds + 600) * 1000,
    );
  });
}

const inNobodys = { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "nobodys" } } };

function celPolicy(i: number): Manifest {
  return {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldPolicy",
    metadata: { name: `steady-${i}` },
    spec: {
      engine: "cel",
      actions: { admission: "deny" },
      matchConstraints: {
        ...inNobodys,
        resourceRules: [
          { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] },
        ],
      },
      validations: [{ expression: `size(object.metadata.name) != ${i}`, message: "another name, please" }],
      exceptions: { namespaces: { names: ["default"] } },
    },
  };
}

/** Every tenth looks at the Pods of `default`, so that the audit has something to say. */
function webhookPolicy(i: number): Manifest {
  return podSecurityPolicy(`steady-${i}`, {
    actions: { admission: "warn", background: "audit" },
    ...(i % 20 === 1 ? {} : { matchConstraints: inNobodys }),
    exceptions: { namespaces: { names: ["default"] } },
  });
}

function exception(i: number, policies: number): Manifest {
  return {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldException",
    metadata: { name: `steady-${i}`, namespace: "default" },
    spec: {
      policies: [`steady-${i % policies}`],
      owner: "team-steady",
      reason: "Lasts for as long as nothing happens.",
      expiresAt: new Date(Date.now() + 20 * 86_400_000).toISOString().replace(/\.\d+Z$/, "Z"),
      match: { names: [`steady-${i}`] },
    },
  };
}

async function createAll(cluster: Cluster, objects: readonly Manifest[]): Promise<void> {
  const input = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
  const { code, stderr } = await cluster.kubectl(["create", "-f", "-"], { input });
  if (code !== 0) throw new Error(`the objects were refused: ${stderr}`);
}

interface WithReady {
  readonly metadata: { readonly generation: number };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

/** How many objects there are, once all of them are Ready. */
async function allObserved(cluster: Cluster, most: number): Promise<number | undefined> {
  const found = await read<{ items: WithReady[] }>(cluster, "shieldpolicies,shieldexceptions", "-A");
  const items = found?.items ?? [];
  const isReady = ({ status }: WithReady) =>
    status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True");
  return items.length > 0 && items.length <= most && items.every(isReady) ? items.length : undefined;
}

interface Write {
  readonly what: string;
  readonly resource: string;
  readonly at: number;
}

const WRITES = ["create", "update", "patch", "delete", "deletecollection"];

/** What ShieldX's own identities wrote into the store. Reviews and dry runs store nothing. */
async function ours(cluster: Cluster): Promise<Write[]> {
  const lines = (await readFile(cluster.auditLog ?? "", "utf8")).trim().split("\n");
  return lines
    .filter((line) => line.includes(":shieldx-"))
    .map((line) => JSON.parse(line) as AuditEvent)
    .filter(({ stage, user }) => stage === "ResponseComplete" && /:shieldx-\w+$/.test(user.username))
    .filter(({ verb, requestURI }) => WRITES.includes(verb) && !requestURI.includes("dryRun=All"))
    .filter(
      ({ objectRef }) => !/^(token|subjectaccess|selfsubject\w+)reviews$/.test(objectRef?.resource ?? ""),
    )
    .map(({ verb, objectRef, requestReceivedTimestamp, user }) => ({
      what: `${user.username.replace(/.*:/, "")} ${verb} ${objectRef?.resource}/${objectRef?.name}`,
      resource: objectRef?.resource ?? "",
      at: Date.parse(requestReceivedTimestamp),
    }));
}

function quietMs(writes: readonly Write[]): number {
  const stored = writes.filter(({ resource }) => resource !== "leases");
  return Date.now() - Math.max(...stored.map(({ at }) => at));
}

interface AuditEvent {
  readonly stage: string;
  readonly verb: string;
  readonly requestURI: string;
  readonly requestReceivedTimestamp: string;
  readonly user: { readonly username: string };
  readonly objectRef?: { readonly resource?: string; readonly name?: string };
}

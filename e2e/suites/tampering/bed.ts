// A real control plane with ShieldX on the host and one object of each kind that enforces.
import {
  type Client,
  isConflict,
  isInvalid,
  isNotFound,
  type KubeObject,
  type ResourceType,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from "@shieldx/controller-runtime";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { clientsOf } from "../../shieldx/clients.ts";
import { type ShieldxOnHost, type ShieldxProcess, startShieldxOnHost } from "../../shieldx/host.ts";
import { parseMetrics, scrape, scraperToken, sum } from "../../shieldx/metrics.ts";
import { enforce, type Manifest, podSecurityPolicy, replicaLimit } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";
import { substance, type Tampering, type Target } from "./targets.ts";

export { parseMetrics };

export const configurations: readonly Target[] = [
  "shieldx-policies-fail",
  "shieldx-policies-ignore",
  "shieldx-kinds",
].map((name) => ({ type: ValidatingWebhookConfiguration, name }));

export function nativeTargets(policy: string): Target[] {
  const name = `shieldx-${policy}`;
  return [
    { type: ValidatingAdmissionPolicy, name },
    { type: ValidatingAdmissionPolicyBinding, name },
  ];
}

/** At most five replicas, but for what is labelled exempt. Each about other requests, or they would be merged. */
export function fewReplicas(name: string): Manifest {
  return replicaLimit(name, {
    matchConstraints: {
      objectSelector: { matchExpressions: [{ key: `not-for-${name}`, operator: "DoesNotExist" }] },
      resourceRules: [
        { apiGroups: ["apps"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["deployments"] },
      ],
    },
    matchConditions: [
      { name: "not-exempt", expression: "!('exempt' in object.metadata.?labels.orValue({}))" },
    ],
  });
}

export interface TamperingBed {
  readonly cluster: Cluster;
  readonly shieldx: ShieldxOnHost;
  readonly client: Client;
  /** Restorations that a process has counted. */
  restorations(operator: ShieldxProcess): Promise<number>;
  /** Times somebody was told by an Event, repetitions included. */
  told(): Promise<number>;
  events(): Promise<readonly TamperingEvent[]>;
  stop(): Promise<void>;
}

export interface TamperingEvent {
  readonly reason: string;
  readonly note: string;
  readonly regarding: { readonly kind: string; readonly name: string };
  readonly series?: { readonly count: number };
}

export async function startTamperingBed(name: string): Promise<TamperingBed> {
  const cluster = await startCluster({ name });
  const shieldx = await startShieldxOnHost(cluster);
  const [client] = await clientsOf(cluster);
  await enforce(cluster, podSecurityPolicy("closed", { failurePolicy: "Fail" }));
  await enforce(cluster, podSecurityPolicy("open", { failurePolicy: "Ignore" }));
  await enforce(cluster, fewReplicas("few-replicas"));
  const token = await scraperToken(cluster);
  const events = async (): Promise<readonly TamperingEvent[]> => {
    const { stdout } = await cluster.kubectl(["get", "events.events.k8s.io", "-A", "-o", "json"]);
    const { items } = JSON.parse(stdout) as { items: TamperingEvent[] };
    return items.filter(({ reason }) => reason === "TamperingRestored");
  };
  return {
    cluster,
    shieldx,
    client,
    events,
    restorations: async (operator) => {
      const samples = await scrape(operator, token);
      return sum(samples.filter((sample) => sample.name === "shieldx_tampering_restored_total"));
    },
    told: async () => (await events()).reduce((total, { series }) => total + (series?.count ?? 1), 0),
    async stop() {
      await client.close();
      await shieldx.stop();
      await cluster.stop();
    },
  };
}

export async function read(client: Client, { type, name }: Target): Promise<KubeObject | undefined> {
  return client.find(type, { name });
}

export async function substanceOf(client: Client, target: Target): Promise<string> {
  const object = await read(client, target);
  return object === undefined ? "" : substance(object);
}

/** Tampers once. Returns when the API server had answered; what is just being put back may refuse an edit. */
export async function commit(client: Client, tampering: Tampering): Promise<number> {
  try {
    return await tampering.commit(client);
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error) && !isInvalid(error)) throw error;
    return performance.now();
  }
}

/**
 * Tampers once and waits until the object says what it said before. Returns the milliseconds from the API server's
 * answer to the attacker; what was restored before the answer arrived counts as 0.
 */
export async function tamperOnce(client: Client, tampering: Tampering, before: string): Promise<number> {
  const { target, name } = tampering;
  // An object that the garbage collector has just taken, for an owner added before, is not there to be edited.
  const at = await waitFor(`an attacker's success: ${name} of ${target.name}`, async () => {
    const attempt = await tampering.commit(client).catch((error: unknown) => {
      if (!isNotFound(error) && !isConflict(error) && !isInvalid(error)) throw error;
      return undefined;
    });
    return attempt;
  });
  await waitFor(
    `${target.type.kind} ${target.name} as it was before: ${name}`,
    async () => (await substanceOf(client, target)) === before,
    { timeoutMs: 20_000, everyMs: 1 },
  );
  return Math.max(0, performance.now() - at);
}

/** Milliseconds for each object from the last answer about it until it says what it said before; seen by lists. */
export async function restoredAfter(
  client: Client,
  answered: ReadonlyMap<Target, number>,
  before: ReadonlyMap<Target, string>,
): Promise<number[]> {
  const took = new Map<Target, number>();
  await waitFor(
    "everything as it was before",
    async () => {
      const found = new Map<string, string>();
      for (const type of new Set([...answered.keys()].map((target) => target.type))) {
        for (const object of (await client.list(type)).items) {
          found.set(`${type.kind}/${object.metadata.name}`, substance({ ...object, ...kindOf(type) }));
        }
      }
      for (const [target, at] of answered) {
        const isBack = found.get(`${target.type.kind}/${target.name}`) === before.get(target);
        if (isBack && !took.has(target)) took.set(target, Math.max(0, performance.now() - at));
        // Put back and, as several came at once, tampered with again.
        if (!isBack) took.delete(target);
      }
      return took.size === answered.size;
    },
    { timeoutMs: 30_000, everyMs: 2 },
  );
  return [...took.values()];
}

/** Items of a list do not say what they are. */
function kindOf({ group, version, kind }: ResourceType): { apiVersion: string; kind: string } {
  return { apiVersion: `${group}/${version}`, kind };
}

export function figures(tookMs: readonly number[]): string {
  const sorted = [...tookMs].sort((a, b) => a - b);
  const at = (share: number) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(1);
  const late = sorted.filter((ms) => ms > 1_000).length;
  return `${sorted.length} restored, ms p50 ${at(0.5)} p99 ${at(0.99)} max ${at(1)}; over 1 s: ${late}`;
}

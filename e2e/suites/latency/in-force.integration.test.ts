import { setTimeout as delay } from "node:timers/promises";
import {
  ApiError,
  type Client,
  Deployment,
  type KubeObject,
  Pod,
  type ResourceType,
} from "@shieldx/controller-runtime";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { percentiles } from "../../shieldx/admission-load.ts";
import { clientsOf } from "../../shieldx/clients.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import {
  enforce,
  type Manifest,
  podSecurityPolicy,
  replicaLimit,
  restrictedPod,
  ShieldPolicy,
} from "../../shieldx/objects.ts";

/** How soon a changed policy is in force: from the API server's answer to the change to its first other verdict. */
const changes = 60;
const askEveryMs = 2;
/** Only to end a test that would wait for ever; the figures are printed, not asserted. */
const sanityMs = 10_000;
/**
 * The API server takes changed admission policies in once a second. Each change begins at another point of that
 * second, or every one would begin right after a refresh and wait for the whole of the next.
 */
const nativeRefreshMs = 1_000;

interface Subject {
  readonly policy: (action: "warn" | "deny") => Manifest;
  readonly type: ResourceType;
  readonly refreshMs: number;
  /** What `deny` refuses. */
  readonly offender: Manifest;
}

const webhook: Subject = {
  policy: (admission) => podSecurityPolicy("changing-webhook", { actions: { admission } }),
  type: Pod,
  refreshMs: 0,
  offender: restrictedPod("offender", { hostNetwork: true }),
};

const native: Subject = {
  policy: (admission) => replicaLimit("changing-native", { actions: { admission } }),
  type: Deployment,
  refreshMs: nativeRefreshMs,
  offender: {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "offender", namespace: "default" },
    spec: {
      replicas: 9,
      selector: { matchLabels: { app: "offender" } },
      template: { metadata: { labels: { app: "offender" } }, spec: restrictedPod("offender").spec },
    },
  },
};

let cluster: Cluster;
let shieldx: ShieldxOnHost;
let client: Client;

beforeAll(async () => {
  cluster = await startCluster({ name: "in-force" });
  shieldx = await startShieldxOnHost(cluster);
  [client] = await clientsOf(cluster);
});
afterAll(async () => {
  await client?.close();
  await shieldx?.stop();
  await cluster?.stop();
});

async function isRefused({ type, offender }: Subject): Promise<boolean> {
  try {
    await client.create(type, offender as KubeObject, { dryRun: true, retries: 0 });
    return false;
  } catch (error) {
    if (error instanceof ApiError && error.message.includes("changing-")) return true;
    throw error;
  }
}

interface Change {
  /** Milliseconds from the answer to the change until the verdict is the wanted one, or `sanityMs` were over. */
  readonly tookMs: number;
  /** The verdicts before the change and at the end of the wait. */
  readonly verdicts: "refused -> admitted" | "admitted -> refused" | "the same";
}

async function make(subject: Subject, action: "warn" | "deny"): Promise<Change> {
  const before = await isRefused(subject);
  const policy = subject.policy(action) as KubeObject;
  await client.apply(ShieldPolicy, policy, { fieldManager: "in-force-test", force: true });
  const answered = performance.now();
  let after = await isRefused(subject);
  while (after !== (action === "deny") && performance.now() - answered < sanityMs) {
    await delay(askEveryMs);
    after = await isRefused(subject);
  }
  const tookMs = performance.now() - answered;
  if (after === before) return { tookMs, verdicts: "the same" };
  return { tookMs, verdicts: after ? "admitted -> refused" : "refused -> admitted" };
}

function told(values: readonly number[]): string {
  const { p50, p99, max } = percentiles(values);
  return `p50 ${p50.toFixed(0)} p99 ${p99.toFixed(0)} max ${max.toFixed(0)}`;
}

describe("a policy change", () => {
  it.each([
    { engine: "webhook", enforcedBy: "Webhook", subject: webhook },
    { engine: "native", enforcedBy: "Native", subject: native },
  ])(
    "is in force soon, enforced by the $engine engine",
    async ({ engine, enforcedBy, subject }) => {
      const enforced = await enforce(cluster, subject.policy("warn"));
      expect(enforced.status?.enforcedBy).toBe(enforcedBy);
      const took: Record<"warn" | "deny", number[]> = { deny: [], warn: [] };
      const notSeen: string[] = [];
      for (let change = 0; change < changes; change++) {
        const action = change % 2 === 0 ? "deny" : "warn";
        await delay(((change + 0.5) / changes) * subject.refreshMs);
        const { tookMs, verdicts } = await make(subject, action);
        took[action].push(tookMs);
        const wanted = action === "deny" ? "admitted -> refused" : "refused -> admitted";
        if (verdicts !== wanted)
          notSeen.push(`change ${change} to ${action}: ${verdicts} after ${tookMs} ms`);
      }
      console.log(
        `${engine}: ${changes} changes in force after ms ${told([...took.deny, ...took.warn])} ` +
          `(to deny ${told(took.deny)}; to warn ${told(took.warn)})`,
      );
      expect(notSeen).toEqual([]);
    },
    (changes + 30) * sanityMs,
  );
});

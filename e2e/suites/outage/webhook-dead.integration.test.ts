// Whatever state ShieldX is in, the cluster's own machinery works and ShieldX comes back with no manual edit.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { apply, enforce, podSecurityPolicy, read, restrictedPod, tryCreate } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";

let cluster: Cluster;
let shieldx: ShieldxOnHost;
const hostNetwork = (name: string, namespace = "default") =>
  restrictedPod(name, { hostNetwork: true }, namespace);
const lease = (namespace: string) => ({
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  metadata: { name: "outage", namespace },
  spec: { holderIdentity: "somebody" },
});

async function kubectl(...args: string[]): Promise<void> {
  const result = await cluster.kubectl(args);
  expect(result.stderr).not.toContain("Error");
  expect(result.code).toBe(0);
}

beforeAll(async () => {
  cluster = await startCluster({ name: "outage" });
  shieldx = await startShieldxOnHost(cluster);
  await kubectl("create", "namespace", "doomed");
  await apply(cluster, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "thing", namespace: "doomed" },
  });
  await enforce(cluster, podSecurityPolicy("closed", { failurePolicy: "Fail" }));
  await enforce(
    cluster,
    podSecurityPolicy("open", {
      podSecurity: { level: "restricted" },
      failurePolicy: "Ignore",
      actions: { admission: "warn" },
    }),
  );
  await waitFor("refused", async () => !(await tryCreate(cluster, hostNetwork("bad"))).allowed);
  for (const webhook of shieldx.webhooks) await webhook.kill();
});
afterAll(async () => {
  await shieldx?.stop();
  await cluster?.stop();
});

it("refuses what a Fail policy is about, and says that the webhook does not answer", async () => {
  const refused = await tryCreate(cluster, restrictedPod("good"));
  expect(refused.allowed).toBe(false);
  expect(refused.message).toContain("failed calling webhook");
});

it("leaves the cluster's machinery alone", async () => {
  for (const namespace of ["kube-system", "kube-node-lease", "shieldx-system", "default"]) {
    expect(await apply(cluster, lease(namespace))).toMatchObject({ allowed: true });
  }
  const good = (namespace: string) => tryCreate(cluster, restrictedPod("machinery", {}, namespace));
  expect(await good("kube-system")).toMatchObject({ allowed: true });
  expect(await good("shieldx-system")).toMatchObject({ allowed: true });
  const node = { apiVersion: "v1", kind: "Node", metadata: { name: "outage" } };
  expect(await apply(cluster, node)).toMatchObject({ allowed: true });
  await kubectl("label", "node", "outage", "seen=yes");
  await kubectl("delete", "node", "outage");
  await kubectl("delete", "namespace", "doomed", "--wait=true", "--timeout=60s");
});

it("lets policies be switched off and deleted, and exceptions be made", async () => {
  expect(await apply(cluster, podSecurityPolicy("another", { actions: { admission: "off" } }))).toMatchObject(
    { allowed: true },
  );
  await kubectl("delete", "shieldpolicy", "another");
});

it("recovers unaided when a replica is back, and finds what slipped by", async () => {
  // Restricted is only warned of, by a policy that fails open: with nobody to warn, it passes unseen.
  await kubectl("delete", "shieldpolicy", "closed");
  await waitFor("Pods pass, unjudged", async () => (await apply(cluster, hostNetwork("slipped"))).allowed);
  await shieldx.startWebhooks();
  await enforce(cluster, podSecurityPolicy("closed", { failurePolicy: "Fail" }));
  await waitFor("refused again", async () => {
    const outcome = await tryCreate(cluster, hostNetwork("bad"));
    return !outcome.allowed && outcome.message.includes('ShieldPolicy "closed"');
  });
  expect(await tryCreate(cluster, restrictedPod("good"))).toMatchObject({ allowed: true });
  await waitFor("what slipped by, among the worst offenders", async () => {
    const policy = await read<{ status: { worstOffenders?: { name: string }[] } }>(
      cluster,
      "shieldpolicy",
      "open",
    );
    return policy?.status.worstOffenders?.some(({ name }) => name === "slipped");
  });
});

it("keeps keys and tokens out of logs, Events and status", async () => {
  const logs = [...shieldx.operators, ...shieldx.webhooks]
    .map(({ logFile }) => readFileSync(logFile, "utf8"))
    .join("\n");
  expect(logs.length).toBeGreaterThan(500);
  const seen = await cluster.kubectl([
    "get",
    "events,shieldpolicies,leases,validatingwebhookconfigurations",
    "-A",
    "-o",
    "yaml",
  ]);
  for (const text of [logs, seen.stdout]) {
    expect(text).not.toMatch(/PRIVATE KEY|LS0tLS1CRUdJTiBQUklWQVRF|eyJhbGciOi/);
  }
});

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, runCommand, startCluster } from "../../cluster/index.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { apply, celPolicy, enforce, type Manifest } from "../../shieldx/objects.ts";

/** `shieldctl policy explain --cluster` says of a request what the API server does with it. */
let cluster: Cluster;
let shieldx: ShieldxOnHost;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "explain-"));
  cluster = await startCluster({ name: "explain" });
  shieldx = await startShieldxOnHost(cluster, {
    chartValues: { "rbac.paramKinds[0].resources": "{configmaps}", "rbac.paramKinds[0].apiGroup": "" },
  });
  const namespace = (name: string, tier: string): Manifest => ({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, labels: { tier } },
  });
  for (const each of [namespace("shop", "prod"), namespace("test", "dev")]) await apply(cluster, each);
  await apply(cluster, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "limits", namespace: "shop" },
    data: { most: "2" },
  });
  await enforce(
    cluster,
    celPolicy("few", {
      evaluation: "Webhook",
      paramKind: { apiVersion: "v1", kind: "ConfigMap" },
      paramRef: { name: "limits", parameterNotFoundAction: "Allow" },
      exceptions: { namespaces: { names: ["shop"] } },
      matchConstraints: {
        namespaceSelector: { matchLabels: { tier: "prod" } },
        resourceRules: [
          { apiGroups: ["apps"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["deployments"] },
        ],
      },
      validations: [{ expression: "object.spec.replicas <= int(params.data.most)", message: "too many" }],
    }),
  );
  await apply(cluster, {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldException",
    metadata: { name: "big", namespace: "shop" },
    spec: {
      policies: ["few"],
      match: { names: ["big"] },
      owner: "me@example.com",
      reason: "until it is mended",
      expiresAt: new Date(Date.now() + 86_400_000).toISOString(),
    },
  });
});
afterAll(async () => {
  await shieldx?.stop();
  await cluster?.stop();
  await rm(folder, { recursive: true, force: true });
});

const deployment = (name: string, namespace: string, replicas: number): Manifest => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: "app", image: "none.invalid/none" }] },
    },
  },
});
const shieldctl = new URL("../../../cli/src/bin.ts", import.meta.url).pathname;

it.each<[string, Manifest, string]>([
  ["refused", deployment("web", "shop", 3), "object.spec.replicas = 3"],
  ["let pass", deployment("web", "shop", 2), "few (cel, deny): kept: no rule is broken"],
  ["excepted", deployment("big", "shop", 9), 'ShieldException "shop/big" counts'],
  ["out of reach", deployment("web", "test", 9), "namespaceSelector does not choose"],
])("agrees with the API server on what is %s", async (outcome, object, why) => {
  const file = join(folder, "object.json");
  await writeFile(file, JSON.stringify(object));
  const args = [shieldctl, "policy", "explain", "--cluster", "-v", "-f", file];
  const env = { KUBECONFIG: cluster.kubeconfig, PATH: process.env.PATH ?? "" };
  const explained = await runCommand(process.execPath, args, { env });
  expect(explained.stdout).toContain(why);
  const isRefused = outcome === "refused";
  expect(explained.code).toBe(isRefused ? 1 : 0);
  const created = async () => cluster.kubectl(["create", "--dry-run=server", "-f", file]);
  // The exception is taken in a moment after it is there.
  await expect.poll(async () => (await created()).code === 0, { timeout: 30_000 }).toBe(!isRefused);
  if (isRefused) expect((await created()).stderr).toContain("too many");
});

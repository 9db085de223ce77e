// The app of apps from the first wave to its deletion, with ShieldX in Pods. Argo CD's own code applies, waits, compares
// and deletes; the test stands for the controller only where it writes an Application's health. Needs root.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildShieldxImage } from "../../cluster/image/shieldx.ts";
import { buildArgocd, type Cluster, publishedFile, startCluster } from "../../cluster/index.ts";
import { loadImage } from "../../cluster/node/images.ts";
import { renderChart } from "../../shieldx/chart.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import { read, restrictedPod, tryCreate, untilCondition } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";
import { Application, deploy, diffModes, healthOf, inSync, installSettings } from "./argocd.ts";

const namespace = "shieldx-system";
const applications = join(deploy, "argocd", "applications");
const [productFile, policiesFile] = [
  join(applications, "shieldx.yaml"),
  join(applications, "shieldx-policies.yaml"),
];
const argocdModule = {
  path: "github.com/argoproj/argo-cd/v3",
  version: "v3.1.1",
  sum: "h1:5qzZUtfpHTwrySprpQwpvjPUHKUz7gBs/wK7PSiVQ8I=",
};
const badPod = restrictedPod("bad", { hostNetwork: true });

let cluster: Cluster;
let root: Application;
let product: Application;
let policies: Application;

beforeAll(async () => {
  const [image] = await Promise.all([
    buildShieldxImage(),
    startCluster({ name: "argocd-apps", nodes: 1 }).then((started) => {
      cluster = started;
    }),
    buildArgocd(),
  ]);
  await Promise.all([loadImage(cluster, image.archive), installSettings(cluster)]);
  const kinds = await publishedFile(argocdModule, "manifests/crds/application-crd.yaml");
  await mustKubectl(cluster, ["create", "-f", kinds]);
  const colon = image.name.lastIndexOf(":");
  const chart = await renderChart({
    "image.repository": image.name.slice(0, colon),
    "image.tag": image.name.slice(colon + 1),
    "networkPolicy.apiServerPorts": `{443,${cluster.apiServers[0]?.port}}`,
  });
  const bundles = await renderChart({ "baseline.action": "deny" }, namespace, { chart: "shieldx-policies" });
  root = new Application(cluster, join(deploy, "argocd", "root.yaml"), async () =>
    [await readFile(productFile, "utf8"), await readFile(policiesFile, "utf8")].join("---\n"),
  );
  product = new Application(cluster, productFile, async () => chart);
  policies = new Application(cluster, policiesFile, async () => bundles);
}, 900_000);
afterAll(async () => {
  await cluster?.stop();
});

async function applicationNames(): Promise<string[]> {
  const list = await read<{ items: { metadata: { name: string } }[] }>(
    cluster,
    "applications",
    "-n",
    "argocd",
  );
  return list?.items.map(({ metadata }) => metadata.name) ?? [];
}

/** As the controller does once the objects of an application are healthy. */
async function setHealthy(name: string): Promise<void> {
  const patch = JSON.stringify({ status: { health: { status: "Healthy" } } });
  await mustKubectl(cluster, [
    "patch",
    "application",
    name,
    "-n",
    "argocd",
    "--type=merge",
    "--patch",
    patch,
  ]);
}

async function enforcing(): Promise<string[]> {
  const kinds =
    "validatingwebhookconfigurations,validatingadmissionpolicies,validatingadmissionpolicybindings";
  const found = await mustKubectl(cluster, ["get", kinds, "-o", "name"]);
  return found.split("\n").filter((name) => name.includes("shieldx"));
}

describe("the app of apps", () => {
  it("brings the product, waits until it is healthy, and then the policies", async () => {
    const operation = root.sync("170s");
    operation.catch(() => undefined);
    await waitFor("the first wave", async () => (await applicationNames()).length > 0, { timeoutMs: 60_000 });
    expect(await applicationNames()).toEqual(["shieldx"]);

    expect((await product.sync()).phase).toBe("Succeeded");
    const healthy = async () =>
      Object.values(await healthOf(cluster, "deployments", "-n", namespace)).every(
        (health) => health?.status === "Healthy",
      );
    await waitFor("operator and webhooks healthy", healthy, { timeoutMs: 120_000, everyMs: 1000 });
    expect(await applicationNames()).toEqual(["shieldx"]);

    await setHealthy("shieldx");
    await waitFor("the second wave", async () => (await applicationNames()).includes("shieldx-policies"), {
      timeoutMs: 30_000,
    });
    expect((await policies.sync()).phase).toBe("Succeeded");
    await setHealthy("shieldx-policies");
    expect(await operation).toMatchObject({ phase: "Succeeded" });
  });

  it("enforces, in a namespace that Argo CD made and labelled", async () => {
    await untilCondition(cluster, ["shieldpolicy", "baseline-pods"], "Ready", "True");
    expect((await tryCreate(cluster, badPod)).message).toContain('ShieldPolicy "baseline-pods"');
    const made = await read<{ metadata: { labels: object } }>(cluster, "namespace", namespace);
    expect(made?.metadata.labels).toMatchObject({ "pod-security.kubernetes.io/enforce": "restricted" });
  });

  it("shows no drift", async () => {
    for (const application of [product, policies]) {
      const found = await application.compare();
      for (const mode of diffModes) expect(found[mode], mode).toMatchObject(inSync);
    }
  });
});

describe("deleting the Application of the product", () => {
  it("takes away what the operator made, by a PostDelete hook, and leaves people's policies", async () => {
    expect((await enforcing()).length).toBeGreaterThan(3);
    const { deleted, hooks } = await product.delete();
    expect(deleted).toContain(`Deployment/${namespace}/shieldx-operator`);
    expect(hooks).toContain(`Job/${namespace}/shieldx-uninstall`);
    expect(await tryCreate(cluster, badPod)).toMatchObject({ allowed: true });
    expect(await enforcing()).toEqual([]);
    const left = ["get", "secrets,leases,jobs,serviceaccounts", "-n", namespace, "-o", "name"];
    await expect
      .poll(async () =>
        (await mustKubectl(cluster, left)).split("\n").filter((name) => name.includes("shieldx")),
      )
      .toEqual([]);
    expect(await read(cluster, "shieldpolicy", "baseline-pods")).toBeDefined();
    expect(await read(cluster, "crd", "shieldpolicies.shieldx.io")).toBeDefined();
  });
});

// What `kubectl diff` says after an install, once the operator has filled in what is its own.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { chartFolder, runHelm, valueFlags } from "../../shieldx/chart.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import { enforce, podSecurityPolicy } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";

const namespace = "shieldx-system";
const chart = chartFolder("shieldx");
let cluster: Cluster;
let shieldx: ShieldxOnHost;
let rendered: string;

beforeAll(async () => {
  cluster = await startCluster({ name: "kubectl-diff" });
  shieldx = await startShieldxOnHost(cluster, {
    chartValues: { "namespace.create": "false" },
    install: async (manifests, values) => {
      rendered = manifests;
      await helm("install", "shieldx", chart, "--create-namespace", ...valueFlags(values));
    },
  });
  await enforce(cluster, podSecurityPolicy("baseline-pods"));
  const bundles = "jsonpath={.webhooks[*].clientConfig.caBundle}";
  const filled = ["get", "validatingwebhookconfiguration", "shieldx-kinds", "-o", bundles];
  await waitFor("the caBundle", async () => (await mustKubectl(cluster, filled)) !== "");
});
afterAll(async () => {
  await shieldx?.stop();
  await cluster?.stop();
});

const helm = (...args: string[]): Promise<string> => runHelm(cluster, args);

async function diff(manifests: string, ...flags: string[]): Promise<{ code: number; stdout: string }> {
  const { code, stdout, stderr } = await cluster.kubectl(["diff", ...flags, "-f", "-"], { input: manifests });
  expect(stderr.replaceAll(/^Warning: .*last-applied.*\n/gm, "")).toBe("");
  return { code, stdout };
}

describe("kubectl diff after helm install", () => {
  it("is empty for the release's manifest", async () => {
    const manifest = await helm("get", "manifest", "shieldx");
    expect(manifest.match(/^kind: /gm)?.length).toBeGreaterThan(15);
    expect(await diff(manifest)).toEqual({ code: 0, stdout: "" });
  });

  it("is empty with the field manager Helm wrote with, server-side", async () => {
    const manifest = await helm("get", "manifest", "shieldx");
    expect(await diff(manifest, "--server-side", "--field-manager=helm")).toEqual({ code: 0, stdout: "" });
  });

  it("shows a change, and is empty again once helm upgrade has taken it back", async () => {
    const manifest = await helm("get", "manifest", "shieldx");
    const service = ["-n", namespace, "service/shieldx-webhooks", "--type=json"];
    const patch = JSON.stringify([{ op: "replace", path: "/spec/ports/0/targetPort", value: 9999 }]);
    await mustKubectl(cluster, ["patch", ...service, "--patch", patch]);
    expect(await diff(manifest)).toMatchObject({ code: 1, stdout: expect.stringContaining("9999") });
    await helm("upgrade", "shieldx", chart, "--reuse-values");
    expect(await diff(manifest)).toEqual({ code: 0, stdout: "" });
  });

  it("is empty after a kubectl apply --server-side over it", async () => {
    const own = rendered.split(/^---$/m).filter((text) => !text.includes("helm.sh/hook"));
    const manifests = own.join("---\n");
    await mustKubectl(cluster, ["apply", "--server-side", "--force-conflicts", "-f", "-"], manifests);
    expect(await diff(manifests, "--server-side")).toEqual({ code: 0, stdout: "" });
  });
});

// ShieldX installed and kept by Argo CD: what it would show as drift, what it would prune, how healthy it says all is.

import { join } from "node:path";
import { kinds } from "@shieldx/crds";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildArgocd, type Cluster, startCluster } from "../../cluster/index.ts";
import { renderChart } from "../../shieldx/chart.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../shieldx/host.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import {
  apply,
  enforce,
  type Manifest,
  podSecurityPolicy,
  read,
  replicaLimit,
  untilCondition,
} from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";
import {
  Application,
  changedApplication,
  deploy,
  diffModes,
  healthOf,
  inSync,
  installSettings,
} from "./argocd.ts";

const applications = join(deploy, "argocd", "applications");
const namespace = "shieldx-system";

let cluster: Cluster;
let shieldx: ShieldxOnHost;
let product: Application;
let policies: Application;
/** What the two sources render to at the moment. */
let chart: string;
let bundles: string;
let inGit: readonly Manifest[] = [];

const fewReplicas = replicaLimit("few-replicas");

beforeAll(async () => {
  cluster = await startCluster({ name: "argocd" });
  await Promise.all([buildArgocd(), installSettings(cluster)]);
  product = new Application(cluster, join(applications, "shieldx.yaml"), async () => chart);
  bundles = await renderChart({}, namespace, { chart: "shieldx-policies" });
  policies = new Application(cluster, join(applications, "shieldx-policies.yaml"), async () =>
    [bundles, ...inGit.map((policy) => JSON.stringify(policy))].join("\n---\n"),
  );
  shieldx = await startShieldxOnHost(cluster, {
    chartValues: { "namespace.create": "false" },
    install: async (manifests) => {
      chart = manifests;
      const { phase, message, resources } = await product.sync();
      const failed = resources.filter(({ status }) => status !== "Synced");
      if (phase !== "Succeeded") throw new Error(`sync: ${message} ${JSON.stringify(failed)}`);
      console.log(`Argo CD synced ${resources.length} objects`);
    },
  });
}, 900_000);
afterAll(async () => {
  await shieldx?.stop();
  await cluster?.stop();
});

async function setTracking(method: string): Promise<void> {
  const patch = JSON.stringify({ data: { "application.resourceTrackingMethod": method } });
  await mustKubectl(cluster, ["patch", "configmap", "argocd-cm", "-n", "argocd", "--patch", patch]);
}

async function syncPolicies(...desired: Manifest[]): Promise<Awaited<ReturnType<Application["sync"]>>> {
  inGit = desired;
  const operation = await policies.sync();
  expect(operation.phase, JSON.stringify(operation)).toBe("Succeeded");
  // A pruned one may still be there, on its way out, and then has no condition to wait for.
  const pruned = new Set(
    operation.resources.filter(({ status }) => status === "Pruned").map(({ object }) => object),
  );
  for (const name of await names("shieldpolicies"))
    if (!pruned.has(`ShieldPolicy/${name}`))
      await untilCondition(cluster, ["shieldpolicy", name], "Ready", "True");
  return operation;
}

async function names(what: string, ...flags: string[]): Promise<string[]> {
  const found = await mustKubectl(cluster, ["get", what, ...flags, "-o", "name"]);
  return found
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.slice(line.indexOf("/") + 1));
}

interface Marked {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly kind: string; readonly name: string }[];
  };
}

/** Everything the operator and the webhooks made, wherever it is. */
async function madeByShieldx(): Promise<Marked[]> {
  const admission =
    "validatingwebhookconfigurations,validatingadmissionpolicies,validatingadmissionpolicybindings";
  const lists = await Promise.all([
    read<{ items: Marked[] }>(cluster, admission, "-l", "app.kubernetes.io/managed-by=shieldx-operator"),
    read<{ items: Marked[] }>(cluster, "secrets,leases", "-n", namespace),
    read<{ items: Marked[] }>(cluster, "reports.openreports.io", "-A"),
  ]);
  return lists.flatMap((list) => list?.items ?? []);
}

describe("after Argo CD has installed ShieldX and the operator has filled in what is its own", () => {
  beforeAll(async () => {
    await syncPolicies(fewReplicas);
    const bundles = "jsonpath={.webhooks[*].clientConfig.caBundle}";
    const filled = ["get", "validatingwebhookconfiguration", "shieldx-kinds", "-o", bundles];
    await waitFor("the caBundle", async () => (await mustKubectl(cluster, filled)) !== "");
  });

  it("nothing has drifted, by any of Argo CD's ways of finding differences", async () => {
    for (const [application, least] of [[product, 15] as const, [policies, 3] as const]) {
      const found = await application.compare();
      for (const mode of diffModes) {
        expect(found[mode], mode).toMatchObject(inSync);
        expect(found[mode].compared, mode).toBeGreaterThanOrEqual(least);
      }
    }
  });

  it("kubectl diff, with Argo CD's field manager, is empty", async () => {
    const flags = ["diff", "--server-side", "--force-conflicts", "--field-manager=argocd-controller"];
    for (const application of [product, policies]) {
      const diff = await cluster.kubectl([...flags, "-f", "-"], { input: await application.targets() });
      expect(diff).toMatchObject({ code: 0, stdout: "", stderr: "" });
    }
  });

  it("a change made by somebody else is drift, and the next sync takes it back", async () => {
    const label = "app.kubernetes.io/component";
    await mustKubectl(cluster, [
      "label",
      "-n",
      namespace,
      "service/shieldx-webhooks",
      "--overwrite",
      `${label}=x`,
    ]);
    const patch = JSON.stringify({ spec: { actions: { admission: "audit" } } });
    await mustKubectl(cluster, ["patch", "shieldpolicy", "baseline-pods", "--type=merge", "--patch", patch]);
    const service = (await product.compare(["structured-merge"]))["structured-merge"];
    expect(service.modified.map(({ object }) => object)).toEqual([`Service/${namespace}/shieldx-webhooks`]);
    const policy = await policies.compare();
    for (const mode of diffModes)
      expect(policy[mode].modified.map(({ object }) => object)).toEqual(["ShieldPolicy/baseline-pods"]);
    expect((await product.sync()).phase).toBe("Succeeded");
    await syncPolicies(fewReplicas);
    expect((await product.compare(["structured-merge"]))["structured-merge"]).toMatchObject(inSync);
    expect((await policies.compare(["structured-merge"]))["structured-merge"]).toMatchObject(inSync);
  });
});

describe.each(["annotation", "label"])("tracking by %s", (method) => {
  beforeAll(async () => {
    await setTracking(method);
    await product.sync();
    await syncPolicies(fewReplicas);
  });

  it("leaves no mark on what ShieldX made, so that no prune takes it for Argo CD's", async () => {
    const made = await madeByShieldx();
    const kinds = new Set(made.map(({ kind }) => kind));
    expect([...kinds].sort()).toEqual([
      "Lease",
      "Secret",
      "ValidatingAdmissionPolicy",
      "ValidatingAdmissionPolicyBinding",
      "ValidatingWebhookConfiguration",
    ]);
    for (const { kind, metadata } of made) {
      const marks = { ...metadata.labels, ...metadata.annotations };
      const tracking = Object.keys(marks).filter((key) => /argocd|instance/.test(key));
      expect({ kind, name: metadata.name, tracking }).toEqual({ kind, name: metadata.name, tracking: [] });
    }
    const native = made.filter(({ kind }) => kind.startsWith("ValidatingAdmissionPolicy"));
    for (const { metadata } of native) {
      expect(metadata.ownerReferences).toMatchObject([
        { kind: "ShieldPolicy", name: metadata.name.replace("shieldx-", "") },
      ]);
    }
    expect((await product.compare(["three-way"]))["three-way"].extra).toEqual([]);
    expect((await policies.compare(["three-way"]))["three-way"].extra).toEqual([]);
  });

  it("prunes a policy that has left Git with all that belongs to it, and nothing else", async () => {
    const before = (await madeByShieldx()).filter(({ metadata }) => !metadata.name.includes("few-replicas"));
    const operation = await syncPolicies();
    const pruned = operation.resources.filter(({ status }) => status === "Pruned");
    expect(pruned.map(({ object }) => object)).toEqual(["ShieldPolicy/few-replicas"]);
    await expect
      .poll(() => names("validatingadmissionpolicies,validatingadmissionpolicybindings"), { timeout: 60_000 })
      .toEqual(["shieldx-baseline-services", "shieldx-baseline-services"]);
    const left = new Set((await madeByShieldx()).map(({ kind, metadata }) => `${kind}/${metadata.name}`));
    expect(before.filter(({ kind, metadata }) => !left.has(`${kind}/${metadata.name}`))).toEqual([]);
    await expect
      .poll(() => names("shieldpolicies"), { timeout: 60_000 })
      .toEqual(["baseline-pods", "baseline-services"]);
  });

  it("never prunes the kinds, which would take everybody's policies with them", async () => {
    const whole = chart;
    // As if crds.enabled had become false, or the CRDs had moved to another source.
    const withoutKinds = whole
      .split(/^---$/m)
      .filter((text) => !text.includes("kind: CustomResourceDefinition"));
    chart = withoutKinds.join("---\n");
    try {
      const operation = await product.sync();
      expect(operation.phase).toBe("Succeeded");
      expect(operation.resources.filter(({ status }) => status === "Pruned")).toEqual([]);
    } finally {
      chart = whole;
    }
    // Ours, and that of Reports.
    expect(await names("crds", "-l", "app.kubernetes.io/part-of=shieldx")).toHaveLength(kinds.length + 1);
    expect(await names("shieldpolicies")).toHaveLength(2);
  });
});

describe("an Application that syncs by client-side apply", () => {
  it("does not drift either", async () => {
    await setTracking("annotation");
    const file = await changedApplication(cluster, join(applications, "shieldx.yaml"), ({ spec }) => {
      spec.syncPolicy.syncOptions = [];
    });
    const clientSide = new Application(cluster, file, async () => chart);
    expect((await clientSide.sync()).phase).toBe("Succeeded");
    expect((await clientSide.compare(["three-way"]))["three-way"]).toMatchObject(inSync);
  });
});

describe("the health of objects as a running operator leaves them", () => {
  const policy = (name: string) =>
    healthOf(cluster, "shieldpolicy", name).then((all) => all[`ShieldPolicy/${name}`]);
  const exception = (name: string) =>
    healthOf(cluster, "shieldexception", name, "-n", "team-a").then(
      (all) => all[`ShieldException/team-a/${name}`],
    );
  const settled = (what: () => ReturnType<typeof policy>, status: string) =>
    waitFor(`health ${status}`, async () => ((await what())?.status === status ? await what() : undefined), {
      everyMs: 500,
    });
  const exempting = podSecurityPolicy("exempting", {
    exceptions: { namespaces: { names: ["team-a"] } },
  });
  const exceptionFrom = (name: string, expiresAt: number): Manifest => ({
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldException",
    metadata: { name, namespace: "team-a" },
    spec: {
      policies: ["exempting"],
      owner: "team-a",
      reason: "for the test",
      expiresAt: new Date(expiresAt).toISOString().replace(/\.\d+Z$/, "Z"),
      match: { kinds: ["Pod"], names: ["legacy-*"] },
    },
  });

  it("a policy: healthy in force, suspended when it is off", async () => {
    await mustKubectl(cluster, ["create", "namespace", "team-a"]);
    await enforce(cluster, exempting);
    expect(await policy("exempting")).toEqual({ status: "Healthy", message: "in force as written" });
    await enforce(cluster, podSecurityPolicy("switched-off", { actions: { admission: "off" } }));
    expect(await policy("switched-off")).toMatchObject({ status: "Suspended" });
  });

  it("an exception: healthy, then suspended once it has expired; degraded when no policy honours it", async () => {
    await apply(cluster, exceptionFrom("short", Date.now() + 6_000));
    await apply(cluster, exceptionFrom("long", Date.now() + 3_600_000));
    expect((await settled(() => exception("short"), "Healthy"))?.message).toContain("honoured until");
    expect((await settled(() => exception("short"), "Suspended"))?.message).toContain("expired at");
    await enforce(cluster, podSecurityPolicy("exempting"));
    expect((await settled(() => exception("long"), "Degraded"))?.message).toContain("NamespaceNotListed");
  });

  it("a policy: degraded when it cannot be in force, progressing while nobody has looked at it", async () => {
    await Promise.all(shieldx.webhooks.map((replica) => replica.stop()));
    // Without a webhook to refuse it, what does not compile gets into the cluster.
    const validations = [{ expression: "object.spec.replicas <=" }];
    await apply(cluster, replicaLimit("broken", { validations }));
    expect((await settled(() => policy("broken"), "Degraded"))?.message).toMatch(/^\w+: .*spec\.validations/);
    expect((await settled(() => policy("exempting"), "Degraded"))?.message).toContain("NoReplica");
    await Promise.all(shieldx.operators.map((replica) => replica.stop()));
    await apply(cluster, podSecurityPolicy("unseen"));
    expect(await policy("unseen")).toMatchObject({ status: "Progressing" });
    await apply(cluster, podSecurityPolicy("exempting", { actions: { admission: "audit" } }));
    expect((await policy("exempting"))?.message).toContain("latest change");
  });
});

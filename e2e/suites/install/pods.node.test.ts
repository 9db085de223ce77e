// ShieldX as its users run it: installed by Helm, in Pods, reached through its Service. Needs root.
import { readdir, readFile } from "node:fs/promises";
import type { Client } from "@shieldx/controller-runtime";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildShieldxImage } from "../../cluster/image/shieldx.ts";
import { type Cluster, runCommand, startCluster } from "../../cluster/index.ts";
import { loadImage } from "../../cluster/node/images.ts";
import { type AdmissionLoad, startAdmissionLoad } from "../../shieldx/admission-load.ts";
import { chartFolder, type HelmValues, runHelm, valueFlags } from "../../shieldx/chart.ts";
import { clientsOf } from "../../shieldx/clients.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import {
  apply,
  enforce,
  podSecurityPolicy,
  read,
  replicaLimit,
  restrictedPod,
  tryCreate,
  untilCondition,
} from "../../shieldx/objects.ts";
import {
  buildPreviousVersion,
  type PreviousVersion,
  previousCommit,
  withoutPrinterColumns,
} from "../../shieldx/previous-version.ts";
import { waitFor } from "../../shieldx/wait.ts";

const namespace = "shieldx-system";
const chart = chartFolder("shieldx");
const former = previousCommit();
const shieldctl = new URL("../../../cli/src/bin.ts", import.meta.url).pathname;
const policy = podSecurityPolicy("baseline-pods");
const refusal = 'ShieldPolicy "baseline-pods"';
const badPod = restrictedPod("bad", { hostNetwork: true });

interface PodList {
  readonly items: readonly { readonly metadata: { readonly name: string; readonly uid: string } }[];
}

let cluster: Cluster;
let client: Client;
let image: { readonly archive: string; readonly name: string };
/** Undefined in a checkout without history: then there is nothing to upgrade from. */
let previous: PreviousVersion | undefined;

beforeAll(async () => {
  const build = async (): Promise<void> => {
    image = await buildShieldxImage();
    if (former === undefined)
      console.warn("skipped: upgrade and rollback, git has no commit before this one");
    else previous = await buildPreviousVersion(former);
  };
  [, cluster] = await Promise.all([build(), startCluster({ name: "install", nodes: 1 })]);
  await loadImage(cluster, image.archive);
  if (previous !== undefined) {
    await loadImage(cluster, previous.image.archive);
    await withoutPrinterColumns(previous.chart);
  }
  [client] = await clientsOf(cluster);
  await kubectl("create", "namespace", namespace);
  await kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted");
  // The chart's own NetworkPolicies have to open what ShieldX needs, the uninstall Job included.
  const denied = { podSelector: {}, policyTypes: ["Ingress", "Egress"] };
  const metadata = { name: "deny-by-default", namespace };
  await apply(cluster, { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata, spec: denied });
});
afterAll(async () => {
  await client?.close();
  await cluster?.stop();
  await previous?.[Symbol.asyncDispose]();
});

const kubectl = (...args: string[]): Promise<string> => mustKubectl(cluster, args);

const helm = (...args: string[]): Promise<string> => runHelm(cluster, args);

/** What has to be said on this cluster, in words that every version of the chart has. */
function settings(imageName: string, values: HelmValues = {}): string[] {
  const colon = imageName.lastIndexOf(":");
  return valueFlags({
    "image.repository": imageName.slice(0, colon),
    "image.tag": imageName.slice(colon + 1),
    "operator.replicas": "2",
    "webhooks.replicas": "3",
    "networkPolicy.apiServerPorts": `{443,${cluster.apiServers[0]?.port}}`,
    ...values,
  });
}

async function install(folder: string, imageName: string, values: HelmValues = {}): Promise<void> {
  const began = performance.now();
  await helm("install", "shieldx", folder, "--wait", "--timeout", "180s", ...settings(imageName, values));
  console.log(`helm install --wait took ${Math.round(performance.now() - began)} ms`);
}

/** Runs a change of the release under load; nothing that is asked meanwhile may go wrong. */
async function underLoad(load: AdmissionLoad, what: string, change: () => Promise<unknown>): Promise<void> {
  const began = performance.now();
  const old = new Set((await podsOf("webhooks")).map(({ metadata }) => metadata.uid));
  await change();
  await waitFor(
    "the former replicas gone",
    async () => (await podsOf("webhooks")).every(({ metadata }) => !old.has(metadata.uid)),
    { timeoutMs: 90_000, everyMs: 500 },
  );
  console.log(`${what} took ${Math.round(performance.now() - began)} ms`);
  expect([what, load.soFar.unexpected]).toEqual([what, []]);
}

async function imagesOf(component: string): Promise<string[]> {
  const path = "jsonpath={.items[*].spec.containers[*].image}";
  const label = `app.kubernetes.io/component=${component}`;
  const images = await kubectl("get", "pods", "-n", namespace, "-l", label, "-o", path);
  return [...new Set(images.split(" "))];
}

async function columns(): Promise<number> {
  type Kind = { spec: { versions: { additionalPrinterColumns?: unknown[] }[] } };
  const kind = await read<Kind>(cluster, "crd", "shieldpolicies.shieldx.io");
  return kind?.spec.versions[0]?.additionalPrinterColumns?.length ?? 0;
}

async function podsOf(component: string): Promise<PodList["items"]> {
  const label = `app.kubernetes.io/component=${component}`;
  return (await read<PodList>(cluster, "pods", "-n", namespace, "-l", label))?.items ?? [];
}

async function leaderIdentity(): Promise<string> {
  const lease = await read<{ spec: { holderIdentity?: string } }>(
    cluster,
    "lease",
    "shieldx-operator",
    "-n",
    namespace,
  );
  return lease?.spec.holderIdentity ?? "";
}

/** The Pod that leads: an identity begins with its host's name. */
async function leader(): Promise<string | undefined> {
  const holder = await leaderIdentity();
  return (await podsOf("operator")).find(({ metadata }) => holder.startsWith(metadata.name))?.metadata.name;
}

/** The process of a Pod's container as this host sees it. */
async function processIn(pod: string): Promise<number> {
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const environment = await readFile(`/proc/${entry}/environ`, "utf8").catch(() => "");
    if (environment.split("\0").includes(`POD_NAME=${pod}`)) return Number(entry);
  }
  throw new Error(`no process of Pod ${pod} on this host`);
}

async function names(...what: string[]): Promise<string[]> {
  const found = await kubectl("get", ...what, "-o", "name");
  return found.split("\n").filter((name) => name.includes("shieldx"));
}

const enforcingKinds =
  "validatingwebhookconfigurations,validatingadmissionpolicies,validatingadmissionpolicybindings";
const releaseKinds = "clusterroles,clusterrolebindings";
const namespacedKinds =
  "deployments,replicasets,pods,services,serviceaccounts,roles,rolebindings,networkpolicies,poddisruptionbudgets,jobs,leases,secrets,configmaps";

/** What of ours is left; CRDs and their objects stay on purpose. */
async function leftBehind(): Promise<string[]> {
  return [
    ...(await names(`${enforcingKinds},${releaseKinds}`)),
    ...(await names(namespacedKinds, "-n", namespace)),
  ];
}

describe("ShieldX installed by Helm", () => {
  it("becomes available under Pod Security restricted, with its NetworkPolicies", async () => {
    await install(previous?.chart ?? chart, (previous?.image ?? image).name);
    for (const name of ["shieldx-operator", "shieldx-webhooks"]) {
      await kubectl(
        "wait",
        "-n",
        namespace,
        `deployment/${name}`,
        "--for=condition=Available",
        "--timeout=60s",
      );
    }
    expect(await podsOf("operator")).toHaveLength(2);
    expect(await podsOf("webhooks")).toHaveLength(3);
    expect(await names("networkpolicies", "-n", namespace)).toEqual(
      expect.arrayContaining(["operator", "webhooks"].map((c) => expect.stringContaining(`shieldx-${c}`))),
    );
  });

  it("refuses a bad Pod through its Service and lets a good one run", async () => {
    await enforce(cluster, policy);
    const refused = await waitFor("the refusal", async () => {
      const outcome = await tryCreate(cluster, badPod);
      return outcome.allowed ? undefined : outcome;
    });
    expect(refused.message).toContain(refusal);
    expect(refused.message).toContain("hostNetwork=true");
    expect(await apply(cluster, restrictedPod("good"))).toMatchObject({ allowed: true });
    await kubectl("wait", "pod/good", "--for=jsonpath={.status.phase}=Running", "--timeout=60s");
  });

  it.skipIf(former === undefined)(
    "is upgraded, rolled back and upgraded again, kinds and image included, and every request is answered rightly",
    async () => {
      const tag = (name: string | undefined): string => name?.split(":").at(-1) ?? "";
      const upgrade = () =>
        helm(
          "upgrade",
          "shieldx",
          chart,
          "--reset-values",
          "--wait",
          "--timeout",
          "180s",
          ...settings(image.name),
        );
      const load = startAdmissionLoad({
        clients: [client],
        perSecond: 25,
        good: restrictedPod("good-too"),
        bad: badPod,
        refusal,
      });
      expect([await columns(), (await imagesOf("webhooks")).map(tag)]).toEqual([0, ["previous"]]);
      await underLoad(load, `helm upgrade from ${former?.slice(0, 12)}`, upgrade);
      expect(await columns()).toBeGreaterThan(3);
      expect((await imagesOf("webhooks")).map(tag)).toEqual([tag(image.name)]);
      await underLoad(load, "helm rollback", () =>
        helm("rollback", "shieldx", "1", "--wait", "--timeout", "180s"),
      );
      expect([await columns(), (await imagesOf("webhooks")).map(tag)]).toEqual([0, ["previous"]]);
      await underLoad(load, "the second helm upgrade", upgrade);
      const report = await load.stop();
      console.log(
        `under load: ${report.requests} requests at ${report.perSecond.toFixed(1)}/s, failures ${report.failures}, ` +
          `ms p50 ${report.p50Ms.toFixed(1)} p99 ${report.p99Ms.toFixed(1)} max ${report.slowestMs.toFixed(0)}`,
      );
      expect(report.unexpected).toEqual([]);
      expect(report.perSecond).toBeGreaterThanOrEqual(20);
    },
    300_000,
  );

  it("is healthy in the eyes of shieldctl", async () => {
    const status = await runCommand(process.execPath, [shieldctl, "status"], {
      env: { ...process.env, KUBECONFIG: cluster.kubeconfig, NO_COLOR: "1" },
    });
    console.log(status.stdout);
    expect(status.stdout).toContain("loaded by 3/3");
    expect(status).toMatchObject({ code: 0, stderr: "" });
    expect(status.stdout).toContain("baseline-pods");
  });

  it("keeps enforcing when its leader is deleted without grace, and another leads", async () => {
    const former = await waitFor("a leader", leader);
    await kubectl("delete", "pod", former, "-n", namespace, "--force", "--grace-period=0");
    const deleted = performance.now();
    expect((await tryCreate(cluster, badPod)).message).toContain(refusal);
    const next = await waitFor(
      "another leader",
      async () => {
        const now = await leader();
        return now !== undefined && now !== former ? now : undefined;
      },
      { timeoutMs: 60_000 },
    );
    console.log(`${next} leads ${Math.round(performance.now() - deleted)} ms after ${former} was deleted`);
    // It works, too: a new policy comes into force.
    await enforce(cluster, podSecurityPolicy("after-the-leader", { actions: { admission: "warn" } }));
    await kubectl("delete", "shieldpolicy", "after-the-leader");
  });

  it("is led again when the leader's process is killed and leaves its Lease behind", async () => {
    const former = await leaderIdentity();
    const pod = await leader();
    if (pod === undefined) throw new Error("nobody leads");
    process.kill(await processIn(pod), "SIGKILL");
    const killed = performance.now();
    expect((await tryCreate(cluster, badPod)).message).toContain(refusal);
    const next = await waitFor(
      "another identity in the Lease",
      async () => {
        const now = await leaderIdentity();
        return now !== former && now !== "" ? now : undefined;
      },
      { timeoutMs: 60_000 },
    );
    console.log(`${next} leads ${Math.round(performance.now() - killed)} ms after ${former} was killed`);
    await enforce(cluster, podSecurityPolicy("after-the-kill", { actions: { admission: "warn" } }));
    await kubectl("delete", "shieldpolicy", "after-the-kill");
  });

  it("lets an eviction take one replica of each part at a time", async () => {
    for (const component of ["operator", "webhooks"]) {
      await kubectl("rollout", "status", "-n", namespace, `deployment/shieldx-${component}`, "--timeout=60s");
      const evict = async (name: string): Promise<string> => {
        const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace } };
        const path = `/api/v1/namespaces/${namespace}/pods/${name}/eviction`;
        return (
          await cluster.kubectl(["create", "--raw", path, "-f", "-"], { input: JSON.stringify(eviction) })
        ).stderr;
      };
      const budget = ["pdb", `shieldx-${component}`, "-n", namespace];
      await waitFor(`the budget of ${component}`, async () => {
        const found = await read<{ status: { disruptionsAllowed: number } }>(cluster, ...budget);
        return found?.status.disruptionsAllowed === 1;
      });
      const [first, second] = await podsOf(component);
      expect(await evict(first?.metadata.name ?? "")).toBe("");
      expect(await evict(second?.metadata.name ?? "")).toContain("disruption budget");
    }
    for (const name of ["shieldx-operator", "shieldx-webhooks"]) {
      await kubectl("rollout", "status", "-n", namespace, `deployment/${name}`, "--timeout=60s");
    }
  });

  it("takes the bundles of shieldx-policies, which warn until they are told to deny", async () => {
    const release = ["shieldx-policies", chartFolder("shieldx-policies"), "--set", "namePrefix=bundle-"];
    await kubectl("delete", "shieldpolicies", "--all", "--timeout=20s");
    await helm("install", ...release);
    const inForce = (name: string) => untilCondition(cluster, ["shieldpolicy", name], "Ready", "True");
    await Promise.all(["bundle-baseline-pods", "bundle-baseline-services"].map(inForce));
    const warned = await tryCreate(cluster, badPod);
    expect(warned).toMatchObject({ allowed: true, message: expect.stringContaining("bundle-baseline-pods") });
    await helm(
      "upgrade",
      ...release,
      "--set",
      "baseline.action=deny,baseline.exemptions.namespaces={kube-public}",
    );
    await Promise.all(["bundle-baseline-pods", "bundle-baseline-services"].map(inForce));
    const service = (ns: string) => ({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "taken", namespace: ns },
      spec: { ports: [{ port: 80 }], externalIPs: ["192.0.2.1"] },
    });
    await waitFor("the Pod refused", async () => !(await tryCreate(cluster, badPod)).allowed);
    await waitFor("the Service refused", async () => !(await tryCreate(cluster, service("default"))).allowed);
    expect(await tryCreate(cluster, service("kube-public"))).toMatchObject({ allowed: true });
    await helm("uninstall", "shieldx-policies", "--wait");
    expect(await names("shieldpolicies")).toEqual([]);
    await enforce(cluster, policy);
  });

  it("takes everything with it when it is uninstalled, and what it refused passes", async () => {
    await apply(cluster, replicaLimit("few-replicas"));
    await waitFor(
      "its admission policy",
      async () => (await names("validatingadmissionpolicies")).length > 0,
    );
    const began = performance.now();
    await helm("uninstall", "shieldx", "--wait", "--timeout", "180s");
    console.log(`helm uninstall took ${Math.round(performance.now() - began)} ms`);
    expect(await tryCreate(cluster, badPod)).toMatchObject({ allowed: true });
    await expect.poll(leftBehind, { timeout: 30_000 }).toEqual([]);
    // What people wrote is still there, and goes when they say so.
    expect(await names("shieldpolicies")).toHaveLength(2);
    await kubectl("delete", "shieldpolicy", "few-replicas", "--timeout=20s");
  });

  it("enforces what it finds when it is installed again", async () => {
    await install(chart, image.name, { "crds.keep": "false", "agentsNamespace.create": "true" });
    await kubectl("get", "namespace", "shieldx-agents");
    await waitFor("the refusal", async () => (await tryCreate(cluster, badPod)).message.includes(refusal));
  });

  it("can be uninstalled while its operator is dead", async () => {
    await kubectl("scale", "-n", namespace, "deployment/shieldx-operator", "--replicas=0");
    await waitFor("no operator", async () => (await podsOf("operator")).length === 0);
    await helm("uninstall", "shieldx", "--wait", "--timeout", "180s");
    expect(await tryCreate(cluster, badPod)).toMatchObject({ allowed: true });
    await expect.poll(leftBehind, { timeout: 30_000 }).toEqual([]);
    // Nor the kinds, this time, nor what people made of them, nor the agents' namespace.
    await expect
      .poll(() => names("crds,namespaces"), { timeout: 30_000 })
      .toEqual([`namespace/${namespace}`]);
  });
});

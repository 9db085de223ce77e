// What uninstall.md says beside its main path, run on what it is for: an operator that leads and puts back what is deleted,
// policies in force. Needs root.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildShieldxImage } from "../../cluster/image/shieldx.ts";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { loadImage } from "../../cluster/node/images.ts";
import { chartFolder, objectsOf, runHelm } from "../../shieldx/chart.ts";
import { installManifestPath } from "../../shieldx/install-manifest.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import {
  apply,
  enforce,
  podSecurityPolicy,
  replicaLimit,
  restrictedPod,
  tryCreate,
} from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";
import { commandBlocks } from "./markdown.ts";
import { GuideShell } from "./shell.ts";

const guide = new URL("../../../docs/guides/uninstall.md", import.meta.url).pathname;
const blocks = commandBlocks(readFileSync(guide, "utf8")).filter(({ isApart }) => isApart);
const namespace = "shieldx-system";

interface Way {
  readonly install: () => Promise<unknown>;
  /** What stays, on purpose. */
  readonly remains: readonly string[];
}
/** By the heading of their block, in the guide's order. */
const ways: Readonly<Record<string, Way>> = {
  "What came from install.yaml": {
    install: () => kubectl("apply", "--server-side", "-f", installManifestPath),
    remains: [],
  },
  "Where the Job cannot run": {
    install: () => runHelm(cluster, ["install", "shieldx", chartFolder("shieldx"), "--create-namespace"]),
    remains: [
      "customresourcedefinition.apiextensions.k8s.io/namespacedshieldpolicies.shieldx.io",
      "customresourcedefinition.apiextensions.k8s.io/shieldbreakglasses.shieldx.io",
      "customresourcedefinition.apiextensions.k8s.io/shieldcleanups.shieldx.io",
      "customresourcedefinition.apiextensions.k8s.io/shieldexceptions.shieldx.io",
      "customresourcedefinition.apiextensions.k8s.io/shieldgenerators.shieldx.io",
      "customresourcedefinition.apiextensions.k8s.io/shieldpolicies.shieldx.io",
      `namespace/${namespace}`,
    ],
  },
};

let cluster: Cluster;
let shell: GuideShell;

beforeAll(async () => {
  // The manifest's own image, by the name it has there.
  const operator = objectsOf(readFileSync(installManifestPath, "utf8")).find(
    ({ kind, metadata }) => kind === "Deployment" && metadata.name === "shieldx-operator",
  );
  const name = operator?.spec.template.spec.containers[0].image as string;
  const [image, started] = await Promise.all([
    buildShieldxImage({ name }),
    startCluster({ name: "uninstall", nodes: 1 }),
  ]);
  cluster = started;
  await loadImage(cluster, image.archive);
  shell = await GuideShell.open(cluster, "uninstall");
});
afterAll(async () => {
  await cluster?.stop();
});

const kubectl = (...args: string[]): Promise<string> => mustKubectl(cluster, args);

const everywhere =
  "validatingwebhookconfigurations,validatingadmissionpolicies,validatingadmissionpolicybindings," +
  "clusterroles,clusterrolebindings,crds,namespaces";

async function names(...what: string[]): Promise<string[]> {
  const found = await kubectl("get", ...what, "-o", "name");
  return found.split("\n").filter((name) => name.includes("shieldx"));
}

const badPod = restrictedPod("bad", { hostNetwork: true });
/** Ends late, as on a busy node, and leads until then: who does not wait for it has everything put back. */
const lingers = {
  spec: {
    template: {
      spec: { containers: [{ name: "operator", lifecycle: { preStop: { sleep: { seconds: 10 } } } }] },
    },
  },
};
const manyReplicas = async (): Promise<string> => {
  const many = ["create", "deployment", "many", "--image=none", "--replicas=9", "--dry-run=server"];
  return (await cluster.kubectl(many)).stderr;
};

it("knows every block", () => {
  expect(blocks.map(({ heading }) => heading)).toEqual(Object.keys(ways));
});

describe.each(blocks)("line $line: $heading", ({ heading, script }) => {
  it("leaves nothing behind that an operator put back, and what was refused passes", async () => {
    const way = ways[heading];
    await way?.install();
    const operator = ["-n", namespace, "deployment/shieldx-operator"];
    await kubectl("patch", ...operator, "-p", JSON.stringify(lingers));
    for (const name of ["shieldx-operator", "shieldx-webhooks"]) {
      await kubectl("rollout", "status", "-n", namespace, `deployment/${name}`, "--timeout=120s");
    }
    await enforce(cluster, podSecurityPolicy("fail"));
    await enforce(cluster, replicaLimit("few-replicas"));
    await waitFor("the Pod refused", async () => !(await tryCreate(cluster, badPod)).allowed);
    await waitFor("the Deployment refused", async () => (await manyReplicas()).includes("at most 5"));

    const began = performance.now();
    const { code, stdout } = await shell.run(script);
    expect(code, stdout).toBe(0);
    console.log(`${stdout}took ${Math.round(performance.now() - began)} ms`);

    // Whatever an operator would still put back is there once none is left.
    await waitFor("no Pod of ShieldX", async () => (await names("pods", "-n", namespace)).length === 0, {
      timeoutMs: 60_000,
    });
    expect(await names(everywhere)).toEqual(way?.remains);
    expect(await names("secrets,leases", "-n", namespace)).toEqual([]);
    expect(await apply(cluster, badPod)).toMatchObject({ allowed: true });
    await kubectl("delete", "pod", "bad", "--force", "--grace-period=0");
    await waitFor("the Deployment allowed", async () => (await manyReplicas()) === "");
  });
});

import { checkManifests, renderAdmissionPolicy } from "@shieldx/policy-engine";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import { waitFor } from "../../shieldx/wait.ts";
import { type LibraryPolicy, readLibrary } from "./library.ts";

/** The whole library on a real API server: taken as it is, type-checked, and quiet about what a new cluster holds. */
const library = readLibrary();
const definitions = new URL("../../../crds/generated/", import.meta.url).pathname;
const folder = new URL("../../../policies/", import.meta.url).pathname;

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ name: "library" });
  await mustKubectl(cluster, ["apply", "--server-side", "-f", definitions]);
  const names = ["crd/shieldpolicies.shieldx.io", "crd/shieldexceptions.shieldx.io"];
  await mustKubectl(cluster, ["wait", "--for=condition=Established", ...names]);
});
afterAll(async () => {
  await cluster?.stop();
});

it("is taken by the API server as it stands in its files", async () => {
  const { code, stdout, stderr } = await cluster.kubectl([
    ...["apply", "--server-side", "--dry-run=server", "--validate=strict", "--recursive", "-f", folder],
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout.trim().split("\n")).toHaveLength(library.length);
});

interface Rendered {
  readonly metadata: { readonly name: string; readonly generation: number };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly typeChecking?: { readonly expressionWarnings?: unknown[] };
  };
}

it("is rendered into policies that the API server takes and has no warning about", async () => {
  // All about Pods and templates check `variables` of unknown type, and ten kinds each: some of them will do.
  const isAboutPods = ({ policy }: LibraryPolicy) =>
    policy.spec.variables?.some(({ name }) => name === "podSpec") === true;
  const some = [...library.filter(isAboutPods).slice(0, 3), ...library.filter((each) => !isAboutPods(each))];
  const items = some.map(({ policy }) => renderAdmissionPolicy(policy, [], 0).policy);
  const list = JSON.stringify({ apiVersion: "v1", kind: "List", items });
  await mustKubectl(cluster, ["create", "-f", "-"], list);
  const checked = await waitFor(
    "all type-checked",
    async () => {
      const { stdout } = await cluster.kubectl(["get", "validatingadmissionpolicies", "-o", "json"]);
      const found = (JSON.parse(stdout) as { items: Rendered[] }).items;
      return found.length === items.length && found.every(({ status }) => status?.observedGeneration === 1)
        ? found
        : undefined;
    },
    { timeoutMs: 100_000 },
  );
  const warnings = checked.flatMap(({ metadata, status }) =>
    (status?.typeChecking?.expressionWarnings ?? []).map((warning) => [metadata.name, warning]),
  );
  expect(warnings).toEqual([]);
});

it("has nothing to say about what every new cluster holds", async () => {
  const kinds = [
    ...[
      "clusterroles",
      "clusterrolebindings",
      "roles",
      "rolebindings",
      "namespaces",
      "services",
      "configmaps",
    ],
    ...["secrets", "serviceaccounts", "priorityclasses", "flowschemas", "apiservices", "storageclasses"],
    ...["validatingwebhookconfigurations", "mutatingwebhookconfigurations"],
  ];
  const { stdout } = await cluster.kubectl(["get", kinds.join(), "--all-namespaces", "-o", "json"]);
  const { items } = JSON.parse(stdout) as { items: unknown[] };
  expect(items.length).toBeGreaterThan(100);
  const report = checkManifests({
    objects: items.map((object) => ({ object })),
    policies: library.map(({ policy }) => policy),
    serverMinor: 37,
    now: 0,
  });
  expect(report.problems).toEqual([]);
  expect(report.checked).toBeGreaterThan(90);
  expect(report.findings.map(({ message }) => message)).toEqual([]);
});

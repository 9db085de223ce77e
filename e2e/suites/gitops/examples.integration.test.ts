// The examples of deploy/ against the published kinds of Argo CD and Flux, as strictly as the API server can.
import { globSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import { deploy } from "./argocd.ts";
import { installPublishedKinds } from "./published-kinds.ts";

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ name: "gitops-examples" });
  await installPublishedKinds(cluster);
  for (const name of ["argocd", "flux-system", "shieldx-system"])
    await mustKubectl(cluster, ["create", "namespace", name]);
}, 300_000);
afterAll(async () => {
  await cluster?.stop();
});

const examples = [
  ...globSync(join(deploy, "argocd", "applications", "*.yaml")),
  join(deploy, "argocd", "root.yaml"),
  join(deploy, "argocd", "argocd-cm.yaml"),
  ...globSync(join(deploy, "flux", "*.yaml")),
].map((path) => path.slice(deploy.length + 1));

describe("the examples", () => {
  it.each(examples)("%s is taken without an unknown field", async (example) => {
    const args = ["create", "--dry-run=server", "--validate=strict", "-f", join(deploy, example)];
    const created = await cluster.kubectl(args);
    expect(created).toMatchObject({ code: 0, stderr: "" });
    const documents = parseAllDocuments(await readFile(join(deploy, example), "utf8"));
    expect(created.stdout.trim().split("\n")).toHaveLength(documents.length);
  });

  it("would not be taken with a field misspelt", async () => {
    const text = await readFile(join(deploy, "argocd", "root.yaml"), "utf8");
    const args = ["create", "--dry-run=server", "--validate=strict", "-f", "-"];
    const refused = await cluster.kubectl(args, { input: text.replace("selfHeal", "selfHeel") });
    expect(refused.stderr).toContain("selfHeel");
  });

  it("name the charts and values that there are", async () => {
    const [values] = parseAllDocuments(await readFile(join(deploy, "../charts/shieldx/values.yaml"), "utf8"));
    for (const example of examples) {
      for (const document of parseAllDocuments(await readFile(join(deploy, example), "utf8"))) {
        const { spec } = document.toJS() as {
          spec?: { source?: { path?: string; helm?: object }; values?: object };
        };
        const path = spec?.source?.path;
        if (path !== undefined)
          await expect(
            readFile(join(deploy, "..", path, "Chart.yaml")).catch(
              () => globSync(join(deploy, "..", path, "*.yaml")).length,
            ),
          ).resolves.toBeTruthy();
        expect(Object.keys(values?.toJS() as object)).toEqual(
          expect.arrayContaining(Object.keys(spec?.values ?? {})),
        );
      }
    }
  });
});

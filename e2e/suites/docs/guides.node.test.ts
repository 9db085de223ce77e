// Every command block of the guides, on a real node, in a reader's order. Needs root.
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cluster, startCluster } from "../../cluster/index.ts";
import { mustKubectl } from "../../shieldx/kubectl.ts";
import { installPublishedKinds } from "../gitops/published-kinds.ts";
import { commandBlocks, missingLine } from "./markdown.ts";
import { GuideShell } from "./shell.ts";

const folder = new URL("../../../docs/guides/", import.meta.url).pathname;
/** Each begins with what those before it left. */
const order = [
  "install.md",
  "first-policy.md",
  "parameters.md",
  "mutations.md",
  "rego.md",
  "images.md",
  "generation.md",
  "policy-tools.md",
  "migrate.md",
  "rollout.md",
  "exceptions.md",
  "break-glass.md",
  "tenants.md",
  "reports.md",
  "page.md",
  "troubleshooting.md",
  "upgrade.md",
  "gitops.md",
  "architecture.md",
  "first-steps.md",
  "http-decisions.md",
  "uninstall.md",
];

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster({ name: "guides", nodes: 1 });
  // What a reader of the GitOps guide has already.
  await installPublishedKinds(cluster);
  for (const name of ["argocd", "flux-system"]) await mustKubectl(cluster, ["create", "namespace", name]);
  await mustKubectl(cluster, ["create", "configmap", "argocd-cm", "-n", "argocd"]);
});
afterAll(async () => {
  await cluster?.stop();
});

it("knows every guide", () => {
  expect(readdirSync(folder).sort()).toEqual([...order].sort());
});

const blocksOf = (name: string) => commandBlocks(readFileSync(`${folder}${name}`, "utf8"));

it("leaves no block to others but those of uninstall.node.test.ts", () => {
  const apart = order.filter((name) => blocksOf(name).some(({ isApart }) => isApart));
  expect(apart).toEqual(["uninstall.md"]);
});

/** Making a release builds all there is, from nothing. */
const longestMs = 1_200_000;

for (const name of order) {
  const blocks = blocksOf(name).filter(({ isApart }) => !isApart);
  // A page may have none.
  if (blocks.length === 0) continue;
  describe(name, () => {
    let shell: GuideShell;
    beforeAll(async () => {
      shell = await GuideShell.open(cluster, name.replace(".md", ""));
    });
    it.each(blocks)(
      "line $line: $heading",
      async ({ script, mustFail, expected, line }) => {
        const { code, stdout, stderr } = await shell.run(script, longestMs);
        const output = stdout + stderr;
        const where = `${name}:${line}\n${script}\n--- printed\n${output}`;
        if (mustFail) expect(code, where).not.toBe(0);
        else expect(code, where).toBe(0);
        expect(missingLine(expected, output), where).toBeUndefined();
      },
      longestMs + 20_000,
    );
  });
}

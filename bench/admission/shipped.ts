/** ShieldX as it is shipped: the image's bundle, with the environment that the chart gives its webhooks. */
import { mkdtemp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { buildRegoCompiler, type Cluster } from "../../e2e/cluster/index.ts";
import { type ShieldxOnHost, startShieldxOnHost } from "../../e2e/shieldx/host.ts";
import { bundle } from "../../images/shieldx/bundle.ts";

export async function startShipped(
  cluster: Cluster,
  options: { readonly webhooks?: number } = {},
): Promise<ShieldxOnHost> {
  const folder = await mkdtemp(join(cluster.dir, "bundle-"));
  await bundle(folder);
  return await startShieldxOnHost(cluster, {
    ...options,
    entry: join(folder, "shieldx.mjs"),
    webhookEnv: await chartEnvironment(),
    args: [`--rego-compiler=${await buildRegoCompiler()}`, `--rego-plans=${join(folder, "plans")}`],
    tokenSeconds: 7_200,
  });
}

const tuned = ["NODE_OPTIONS", "MALLOC_ARENA_MAX", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"];

/** What the chart gives the webhooks beside names. */
export async function chartEnvironment(): Promise<Record<string, string>> {
  const path = new URL("../../charts/shieldx/templates/webhooks.yaml", import.meta.url).pathname;
  const template = await readFile(path, "utf8");
  return Object.fromEntries(
    tuned.map((name) => {
      const value = new RegExp(`{name: ${name}, value: "([^"]+)"}`).exec(template)?.[1];
      if (value === undefined) throw new Error(`${path} gives the webhooks no ${name}`);
      return [name, value];
    }),
  );
}

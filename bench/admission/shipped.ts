/** ShieldX as it is shipped: the image's bundle, with the options of Node that the chart gives its webhooks. */
import { mkdtemp, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Cluster } from "../../e2e/cluster/index.ts";
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
    webhookNodeOptions: await chartNodeOptions(),
    tokenSeconds: 7_200,
  });
}

async function chartNodeOptions(): Promise<string> {
  const template = new URL("../../charts/shieldx/templates/webhooks.yaml", import.meta.url);
  const found = /NODE_OPTIONS, value: "([^"]+)"/.exec(await readFile(template, "utf8"))?.[1];
  if (found === undefined) throw new Error(`${template.pathname} gives the webhooks no NODE_OPTIONS`);
  return found;
}

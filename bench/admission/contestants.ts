/** Who is measured: each in a namespace of its own on the same API server, chosen by the label `bench`. */
import type { Cluster } from "../../e2e/cluster/index.ts";
import type { ShieldxOnHost, ShieldxProcess } from "../../e2e/shieldx/host.ts";
import { enforce, podSecurityPolicy } from "../../e2e/shieldx/objects.ts";
import { startFloor } from "./peers/floor.ts";
import { Gatekeeper, type GatekeeperProcess } from "./peers/gatekeeper.ts";
import { validatingPolicy } from "./rules/policy.ts";
import { templateOfAll, templatesByRule } from "./rules/templates.ts";
import { startShipped } from "./shipped.ts";

export const contestants = [
  "none",
  "psa",
  "vap",
  "floor",
  "shieldx",
  "gatekeeper",
  "gatekeeper-one",
] as const;
/** Those that give a verdict; the floor says yes to everything. */
export const judges: readonly Contestant[] = contestants.filter(
  (name) => name !== "none" && name !== "floor",
);
export type Contestant = (typeof contestants)[number];

export const namespaceOf = (contestant: Contestant): string => `bench-${contestant}`;

export interface Field {
  readonly present: readonly Contestant[];
  readonly shieldx: ShieldxOnHost;
  readonly gatekeeper: Gatekeeper | undefined;
  /** The process that judges for this contestant beside the API server. */
  webhookPid(contestant: Contestant): number | undefined;
  shieldxWebhook(): ShieldxProcess;
  restartShieldx(): Promise<ShieldxProcess>;
  restartGatekeeper(): Promise<GatekeeperProcess | undefined>;
  stop(): Promise<void>;
}

const gatekeeperOperations = ["webhook"];

/** Sets everybody up. Without Gatekeeper where it is not wanted: its build takes minutes. */
export async function setUp(cluster: Cluster, options: { readonly withGatekeeper: boolean }): Promise<Field> {
  const present = contestants.filter((name) => options.withGatekeeper || !name.startsWith("gatekeeper"));
  for (const contestant of present) {
    const namespace = namespaceOf(contestant);
    await cluster.kubectl(["create", "namespace", namespace]);
    await cluster.kubectl(["label", "namespace", namespace, `bench=${contestant}`]);
    await cluster.kubectl(["create", "serviceaccount", "default", "-n", namespace]);
  }
  await cluster.kubectl([
    "label",
    "namespace",
    namespaceOf("psa"),
    "pod-security.kubernetes.io/enforce=restricted",
  ]);
  const policy = validatingPolicy("bench-restricted", "vap").map((object) => JSON.stringify(object));
  const applied = await cluster.kubectl(["apply", "-f", "-"], { input: policy.join("\n---\n") });
  if (applied.code !== 0) throw new Error(`the ValidatingAdmissionPolicy was refused: ${applied.stderr}`);

  const floor = await startFloor(cluster, "floor");
  const shieldx = await startShipped(cluster);
  await enforce(
    cluster,
    podSecurityPolicy("bench-restricted", {
      podSecurity: { level: "restricted" },
      matchConstraints: { namespaceSelector: { matchLabels: { bench: "shieldx" } } },
      actions: { admission: "deny", background: "off" },
    }),
  );

  const gatekeeper = options.withGatekeeper ? await Gatekeeper.install(cluster) : undefined;
  let process: GatekeeperProcess | undefined;
  if (gatekeeper !== undefined) {
    // As published, the process that serves the webhook is not the one that makes the kinds of constraints.
    const generator = await gatekeeper.start(["audit", "generate", "status"], ["--audit-interval=0"]);
    await gatekeeper.applyRules([
      ...templatesByRule([namespaceOf("gatekeeper")]),
      templateOfAll([namespaceOf("gatekeeper-one")]),
    ]);
    await generator.stop();
    process = await gatekeeper.start(gatekeeperOperations);
    await gatekeeper.register(["gatekeeper", "gatekeeper-one"]);
  }
  const webhook = (): ShieldxProcess => {
    const last = shieldx.webhooks.at(-1);
    if (last === undefined) throw new Error("no webhook of ShieldX runs");
    return last;
  };
  return {
    present,
    shieldx,
    gatekeeper,
    webhookPid(contestant) {
      if (contestant === "shieldx") return webhook().pid;
      if (contestant === "floor") return floor.pid;
      return contestant.startsWith("gatekeeper") ? process?.pid : undefined;
    },
    shieldxWebhook: webhook,
    async restartShieldx() {
      await webhook().stop();
      return await shieldx.startWebhooks();
    },
    async restartGatekeeper() {
      await process?.stop();
      process = await gatekeeper?.start(gatekeeperOperations);
      return process;
    },
    async stop() {
      await process?.stop();
      await floor.stop();
      await shieldx.stop();
    },
  };
}

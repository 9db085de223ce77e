/** `make bench-admission`: what judging costs, by ShieldX and by its peers, in one run on one API server. See README.md. */

import { kubernetesReleases } from "../../e2e/cluster/build/kubernetes.ts";
import { startCluster } from "../../e2e/cluster/index.ts";
import { benchAudit } from "../audit/audit.ts";
import type { BenchLine } from "../lib/line.ts";
import { Lanes, targetOf } from "../lib/load.ts";
import { describeMachine } from "../lib/machine.ts";
import { publishResults } from "../lib/results.ts";
import { settingsFrom } from "../lib/settings.ts";
import { setUp } from "./contestants.ts";
import { benchCreates } from "./measure.ts";
import { gatekeeperVersion } from "./peers/gatekeeper.ts";
import { benchStarts } from "./starts.ts";
import { compareVerdicts } from "./verdicts.ts";

const parts = ["creates", "starts", "audit"] as const;
const settings = settingsFrom(process.env, parts);
/** The audit of 100,000 Pods takes longer than the rest: it runs when it is asked for. */
const isWanted = (part: (typeof parts)[number]): boolean =>
  settings.parts?.includes(part) ?? (settings.isQuick || part !== "audit");
const withGatekeeper = process.env.GATEKEEPER !== "0";

async function admission(): Promise<BenchLine[]> {
  await using cluster = await startCluster({ name: `bench-admission-${process.pid}` });
  const server = cluster.apiServers[0]?.pid;
  if (server === undefined) throw new Error("the API server does not run");
  const field = await setUp(cluster, { withGatekeeper });
  const lanes = new Lanes(targetOf(cluster.kubeconfig), 8);
  try {
    const { judged, refused } = await compareVerdicts(
      lanes,
      field.present,
      settings.isQuick ? 10 : undefined,
    );
    console.error(`verdicts equal on ${judged} Pods, ${refused} of them refused`);
    const lines: BenchLine[] = [];
    if (isWanted("creates")) lines.push(...(await benchCreates(lanes, field, server, settings)));
    if (isWanted("starts")) lines.push(...(await benchStarts(field, settings)));
    return lines;
  } finally {
    await lanes.close();
    await field.stop();
  }
}

const lines: BenchLine[] = [];
if (isWanted("creates") || isWanted("starts")) lines.push(...(await admission()));
if (isWanted("audit")) lines.push(...(await benchAudit({ withGatekeeper, isQuick: settings.isQuick })));
const machine = describeMachine([
  `Kubernetes ${kubernetesReleases["1.37"]}`,
  ...(withGatekeeper ? [`Gatekeeper ${gatekeeperVersion}`] : []),
]);
publishResults("admission", lines, machine, { isQuick: settings.isQuick || !withGatekeeper });

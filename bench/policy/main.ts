/** `make bench-policy`: what judging by many policies costs, by ShieldX and by its peers. See README.md. */
import { kubernetesReleases } from "../../e2e/cluster/build/kubernetes.ts";
import { gatekeeperVersion } from "../admission/peers/gatekeeper.ts";
import { describeMachine } from "../lib/machine.ts";
import { publishResults } from "../lib/results.ts";
import { benchOnCluster } from "./cluster-part.ts";
import { benchEvaluation } from "./evaluation.ts";
import type { Lines } from "./figures.ts";
import { benchHolds } from "./holds.ts";
import { benchReviews, benchStarts } from "./lone-part.ts";
import { benchOpa } from "./opa/part.ts";
import { newestKubernetes, type Part, type PolicyBenchSettings, policySettingsFrom } from "./settings.ts";

const settings = policySettingsFrom(process.env);

const runs: Readonly<Record<Part, (settings: PolicyBenchSettings) => Promise<Lines>>> = {
  evaluation: benchEvaluation,
  holds: benchHolds,
  starts: benchStarts,
  reviews: benchReviews,
  opa: benchOpa,
  creates: benchOnCluster,
};

const parts: Lines[] = [];
for (const [part, run] of Object.entries(runs)) {
  if (settings.parts?.includes(part) ?? true) parts.push(await run(settings));
}
const machine = describeMachine([
  `Kubernetes ${kubernetesReleases[settings.kubernetes]}`,
  ...(settings.gatekeeper === undefined ? [] : [`Gatekeeper ${gatekeeperVersion}`]),
]);
const isPartial = settings.gatekeeper === undefined || settings.kubernetes !== newestKubernetes;
const isQuick = settings.isQuick || isPartial;
publishResults("policy", parts.flat(), machine, { isQuick });

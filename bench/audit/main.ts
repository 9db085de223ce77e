/** `make bench-audit`: what it costs to judge everything that exists by many policies, and to report it. See README.md. */
import { kubernetesReleases } from "../../e2e/cluster/build/kubernetes.ts";
import { gatekeeperVersion } from "../admission/peers/gatekeeper.ts";
import { describeMachine } from "../lib/machine.ts";
import { publishResults } from "../lib/results.ts";
import { settingsFrom } from "../lib/settings.ts";
import { benchByPolicies } from "./by-policies.ts";

const { isQuick } = settingsFrom(process.env, []);
const withGatekeeper = process.env.GATEKEEPER !== "0";
const pods = countOf("PODS", isQuick ? 1_000 : 100_000);
const policies = countOf("POLICIES", isQuick ? 10 : 50);

const lines = await benchByPolicies({ pods, policies, withGatekeeper });
const machine = describeMachine([
  `Kubernetes ${kubernetesReleases["1.37"]}`,
  `Gatekeeper ${gatekeeperVersion}`,
]);
publishResults("audit", lines, machine, { isQuick });

/** @throws RangeError naming the variable */
function countOf(name: string, byDefault: number): number {
  const count = Number(process.env[name] ?? byDefault);
  if (!Number.isInteger(count) || count < 1)
    throw new RangeError(`${name}=${process.env[name]}: not a count`);
  return count;
}

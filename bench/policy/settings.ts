import { kubernetesReleases } from "../../e2e/cluster/build/kubernetes.ts";
import { type BenchSettings, settingsFrom } from "../lib/settings.ts";
import type { GatekeeperForm } from "./render/gatekeeper.ts";

export const parts = ["evaluation", "holds", "starts", "reviews", "opa", "creates"] as const;
export type KubernetesMinor = keyof typeof kubernetesReleases;
export const newestKubernetes = "1.37" satisfies KubernetesMinor;
export type Part = (typeof parts)[number];

export interface PolicyBenchSettings extends BenchSettings {
  /** `SIZES=16,200,1000`: how many policies, one size after the other. */
  readonly sizes: readonly number[];
  /** `TURN_SECONDS=3`: how long a contestant creates Pods in its turn, once for each loop. */
  readonly turnSeconds: number;
  /** `GATEKEEPER=parameters`; `templates` for one template a rule, `0` for none. */
  readonly gatekeeper: GatekeeperForm | undefined;
  /** `DATA_MB=400`: documents that decisions are made by; 0 for none. */
  readonly dataMegabytes: number;
  /** `K8S=1.34`: the release of the API server; another than the newest writes no table. */
  readonly kubernetes: KubernetesMinor;
  /** `PEERS_UP_TO=200`: peers take part up to this size; beyond it they would take hours. */
  readonly peersUpTo: number;
}

/** @throws RangeError naming the variable */
export function policySettingsFrom(env: NodeJS.ProcessEnv): PolicyBenchSettings {
  const base = settingsFrom(env, parts);
  return {
    ...base,
    sizes: (env.SIZES ?? (base.isQuick ? "16" : "16,200,1000"))
      .split(",")
      .map((size) => count("SIZES", size)),
    turnSeconds: positive("TURN_SECONDS", env.TURN_SECONDS ?? (base.isQuick ? "0.5" : "3")),
    gatekeeper: gatekeeperForm(env.GATEKEEPER ?? "parameters"),
    dataMegabytes: megabytes(env.DATA_MB ?? (base.isQuick ? "4" : "400")),
    kubernetes: kubernetesMinor(env.K8S ?? newestKubernetes),
    peersUpTo: count("PEERS_UP_TO", env.PEERS_UP_TO ?? "200"),
  };
}

/** What a string of JavaScript holds is the most that can be read. */
const mostMegabytes = 500;

function megabytes(value: string): number {
  const number = value === "0" ? 0 : count("DATA_MB", value);
  if (number > mostMegabytes) throw new RangeError(`DATA_MB=${value}: at most ${mostMegabytes}`);
  return number;
}

function kubernetesMinor(value: string): KubernetesMinor {
  if (Object.hasOwn(kubernetesReleases, value)) return value as KubernetesMinor;
  throw new RangeError(`K8S=${value}: use ${Object.keys(kubernetesReleases).join(" or ")}`);
}

function gatekeeperForm(value: string): GatekeeperForm | undefined {
  if (value === "0") return undefined;
  if (value === "parameters" || value === "templates") return value;
  throw new RangeError(`GATEKEEPER=${value}: use parameters, templates or 0`);
}

function positive(name: string, value: string): number {
  const number = Number(value);
  if (!Number.isFinite(number) || number <= 0)
    throw new RangeError(`${name}=${value}: not a positive number`);
  return number;
}

function count(name: string, value: string): number {
  const number = positive(name, value);
  if (!Number.isInteger(number)) throw new RangeError(`${name}=${value}: not a count`);
  return number;
}

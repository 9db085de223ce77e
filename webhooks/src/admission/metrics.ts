import { HotHistogram, type HotNumber, hotCounter } from "@shieldx/controller-runtime";
import { namespaceOfPolicy } from "@shieldx/crds";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

export type Decision = "allowed" | "denied" | "warned" | "audited" | "exempted" | "suspended" | "error";
const decisions: readonly Decision[] = [
  "allowed",
  "denied",
  "warned",
  "audited",
  "exempted",
  "suspended",
  "error",
];
const actions = ["deny", "warn", "audit", "off"];
const rolloutOutcomes = ["kept", "denied", "error"] as const;
const acted = ["yes", "no"] as const;

interface KnownPolicy {
  /** Value of label `policy`. */
  readonly label: string;
  readonly action: string;
  /** What each decision under this action moves: with hundreds of policies looked up for each request, labels would cost more than the policies. */
  readonly cells: { [decision in Decision]?: { inc(): void } };
}

/** Policies of tenants are counted together for each namespace: how many there are is not the platform's to say. */
function labelOf(policy: string): string {
  const namespace = namespaceOfPolicy(policy);
  return namespace === undefined ? policy : `${namespace}/*`;
}

/** Metrics of policy evaluation. Label `policy` takes the names of existing policies only, `namespace/*` for those of tenants. */
export class AdmissionMetrics {
  readonly evaluation: HotHistogram<"failure_policy">;
  readonly calls: Histogram<"result">;
  readonly images: Histogram<"result">;
  readonly policies: Gauge;
  readonly problems: Gauge;
  readonly rebuilds: Counter;
  readonly #info: Gauge<"digest">;
  readonly #loadedAt: Gauge;
  readonly #mutations: Counter<"policy">;
  readonly #decisions: HotNumber<"policy" | "action" | "decision">;
  readonly #rollouts: HotNumber<"policy" | "acted" | "outcome">;
  readonly shadowsSkipped: Counter;
  #known = new Map<string, KnownPolicy>();

  constructor(registry: Registry) {
    const registers = [registry];
    this.#decisions = hotCounter({
      name: "shieldx_admission_decisions_total",
      help: "Admission requests by policy that matched them, its action, and what came of it",
      labelNames: ["policy", "action", "decision"],
      registry,
    });
    this.#mutations = new Counter({
      name: "shieldx_admission_mutations_total",
      help: "Objects that a policy changed before they were stored, dry runs included",
      labelNames: ["policy"],
      registers,
    });
    this.#rollouts = hotCounter({
      name: "shieldx_rollout_judged_total",
      help: "Requests that a version in a stage of its rollout judged, by whether it acted on them, and what came of it: kept, denied, error",
      labelNames: ["policy", "acted", "outcome"],
      registry,
    });
    this.shadowsSkipped = new Counter({
      name: "shieldx_rollout_shadows_skipped_total",
      help: "Requests that versions in a stage were not held against, because too many waited for that",
      registers,
    });
    this.evaluation = new HotHistogram({
      name: "shieldx_admission_evaluation_seconds",
      help: "Time all policies took for a request",
      labelNames: ["failure_policy"],
      buckets: [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1],
      registry,
    });
    this.calls = new Histogram({
      name: "shieldx_admission_call_seconds",
      help: "Time that calls of hosts by policies (http.send) took, by what came of them: answered, kept, failed, refused, timed_out",
      labelNames: ["result"],
      buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers,
    });
    this.images = new Histogram({
      name: "shieldx_admission_image_seconds",
      help: "Time that finding out who signed an image took, by what came of it: verified, unsigned, unknown, kept",
      labelNames: ["result"],
      buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers,
    });
    this.policies = new Gauge({
      name: "shieldx_policy_set_policies",
      help: "Policies in force here",
      registers,
    });
    this.problems = new Gauge({
      name: "shieldx_policy_set_problems",
      help: "Policies and exceptions that could not be compiled",
      registers,
    });
    this.#info = new Gauge({
      name: "shieldx_policy_set_info",
      help: "1 for the policy set in force here, by the first 16 digits of its digest",
      labelNames: ["digest"],
      registers,
    });
    this.#loadedAt = new Gauge({
      name: "shieldx_policy_set_loaded_timestamp_seconds",
      help: "When the policy set in force here replaced another, seconds since the epoch",
      registers,
    });
    this.rebuilds = new Counter({
      name: "shieldx_policy_set_rebuilds_total",
      help: "New policy sets",
      registers,
    });
  }

  decided(policy: string, action: string, decision: Decision): void {
    const known = this.#known.get(policy);
    if (known === undefined) return;
    const { label } = known;
    if (known.action !== action) {
      this.#decisions.labels({ policy: label, action, decision }).inc();
      return;
    }
    known.cells[decision] ??= this.#decisions.labels({ policy: label, action, decision });
    known.cells[decision].inc();
  }

  /** A version in a stage judged a request. */
  rolloutJudged(policy: string, hasActed: boolean, outcome: (typeof rolloutOutcomes)[number]): void {
    if (this.#known.has(policy))
      this.#rollouts.labels({ policy, acted: hasActed ? "yes" : "no", outcome }).inc();
  }

  /** The policy changed an object. */
  mutated(policy: string): void {
    if (this.#known.has(policy)) this.#mutations.inc({ policy });
  }

  /** Another set is in force from now on. */
  loaded(digest: string, nowMs: number): void {
    this.#info.reset();
    this.#info.set({ digest: digest.slice(0, 16) }, 1);
    this.#loadedAt.set(nowMs / 1000);
  }

  /** Series of policies that are gone go with them; those of errors are there from the beginning. */
  keepPolicies(policies: readonly { readonly name: string; readonly admission: string }[]): void {
    const labels = new Set(policies.map(({ name }) => labelOf(name)));
    for (const policy of new Set([...this.#known.values()].map(({ label }) => label))) {
      if (labels.has(policy)) continue;
      this.#mutations.remove({ policy });
      for (const outcome of rolloutOutcomes)
        for (const value of acted) this.#rollouts.remove({ policy, acted: value, outcome });
      for (const action of actions) {
        for (const decision of decisions) this.#decisions.remove({ policy, action, decision });
      }
    }
    this.#known = new Map(
      policies.map(({ name, admission }) => [name, { label: labelOf(name), action: admission, cells: {} }]),
    );
    // An alert on an increase needs a zero to begin at, or the first time goes unseen.
    for (const { name, admission: action } of policies) {
      this.#decisions.labels({ policy: labelOf(name), action, decision: "error" });
    }
  }
}

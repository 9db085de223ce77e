import { Counter, Histogram, type Registry } from "prom-client";

/** What came of a question. */
export const decisionResults = ["value", "undefined", "missing", "error"] as const;

/** Metrics of decisions over HTTP. Requests by route and status are counted by the server, as `webhook="/v1/data"`. */
export class DecisionMetrics {
  readonly decisions: Counter<"result">;
  readonly evaluation: Histogram;
  readonly refusals: Counter<"reason">;

  constructor(registry: Registry) {
    const registers = [registry];
    this.decisions = new Counter({
      name: "shieldx_decisions_total",
      help: "Questions to served policies by what came of them",
      labelNames: ["result"],
      registers,
    });
    this.evaluation = new Histogram({
      name: "shieldx_decision_evaluation_seconds",
      help: "Time to evaluate one question, without reading it and looking up who asks",
      buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5],
      registers,
    });
    this.refusals = new Counter({
      name: "shieldx_decision_refusals_total",
      help: "Questions that were not evaluated: who asks is unknown, may not, or others had the time",
      labelNames: ["reason"],
      registers,
    });
    for (const result of decisionResults) this.decisions.inc({ result }, 0);
    for (const reason of refusalReasons) this.refusals.inc({ reason }, 0);
  }
}

const refusalReasons = [
  "unauthenticated",
  "forbidden",
  "too-many-callers",
  "no-authority",
  "no-time",
] as const;
export type RefusalReason = (typeof refusalReasons)[number];

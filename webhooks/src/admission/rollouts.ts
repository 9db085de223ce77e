import type { KubeObject, Logger } from "@shieldx/controller-runtime";
import type { EvaluationContext, PolicySet, Verdict } from "@shieldx/policy-engine";
import type { AdmissionRequest } from "../server/admission-review.ts";
import type { AdmissionMetrics } from "./metrics.ts";
import { type Outside, OutsideAnswers } from "./outside-answers.ts";
import type { RolloutTally } from "./rollout-tally.ts";
import { ShadowRuns } from "./shadow-runs.ts";

export interface RolloutsParts extends Outside {
  readonly tally: RolloutTally;
  readonly lookedAt?: Pick<EvaluationContext, "params" | "inventory">;
  readonly now: () => number;
  readonly metrics: AdmissionMetrics;
  readonly logger: Logger;
}

/** What one request may take that has been answered already. */
const longestShadowMs = 3_000;

/** Counts versions of policies that go in by stages. Requests that are only tried count for nothing. */
export class Rollouts {
  readonly #parts: RolloutsParts;
  readonly #runs = new ShadowRuns();

  constructor(parts: RolloutsParts) {
    this.#parts = parts;
  }

  /** A request was decided, by such versions too where they act. */
  decided(set: PolicySet, request: AdmissionRequest, verdict: Verdict): void {
    if (verdict.staged.length > 0 && request.dryRun !== true) this.#count(set, request, verdict, true);
  }

  /**
   * Holds such versions against a request on which they do not act: after it is answered, so that they can neither delay
   * nor break it. One that is large is left out, for the memory it takes is given back with the answer.
   */
  shadow(
    set: PolicySet,
    request: AdmissionRequest,
    namespaceObject: KubeObject | undefined,
    isLarge = false,
  ): void {
    if (request.dryRun === true || !set.hasShadows(request)) return;
    const isTaken = !isLarge && this.#runs.add(() => this.#judge(set, request, namespaceObject));
    if (!isTaken) this.#parts.metrics.shadowsSkipped.inc();
  }

  /** Resolves when all that was answered has been counted. */
  async whenCounted(): Promise<void> {
    await this.#runs.whenIdle();
  }

  async #judge(
    set: PolicySet,
    request: AdmissionRequest,
    namespaceObject: KubeObject | undefined,
  ): Promise<void> {
    const { lookedAt, logger } = this.#parts;
    const now = this.#parts.now();
    try {
      const verdict = await new OutsideAnswers(this.#parts, request.userInfo).settle(
        (context) =>
          set.shadowing(request, {
            namespaceLabels: namespaceObject && (namespaceObject.metadata.labels ?? {}),
            namespaceObject,
            ...lookedAt,
            now,
            ...context,
          }),
        performance.now() + longestShadowMs,
      );
      this.#count(set, request, verdict, false);
    } catch (error) {
      logger.error(
        { err: error, uid: request.uid },
        "versions in a stage could not be held against a request",
      );
    }
  }

  #count(set: PolicySet, request: AdmissionRequest, verdict: Verdict, hasActed: boolean): void {
    const { tally, metrics } = this.#parts;
    for (const { policy, outcome } of tally.count(set, request, verdict, hasActed))
      metrics.rolloutJudged(policy, hasActed, outcome);
  }
}

import { parseDurationMs } from "../kubernetes/duration.ts";
import type { RolloutSpec } from "../shieldpolicy/rollout.ts";
import type { RolloutStage } from "../shieldpolicy/rollout-status.ts";

/** One step of a rollout. */
export interface RolloutStep {
  readonly stage: RolloutStage;
  /** As people name it: `shadow`, `canary-10`, `bake`, `full`, `rolled-back`. */
  readonly name: string;
  /** Share of namespaces in which the new version acts. */
  readonly percent: number;
}

const SHADOW: RolloutStep = { stage: "Shadow", name: "shadow", percent: 0 };
const BAKE: RolloutStep = { stage: "Bake", name: "bake", percent: 100 };
export const FULL: RolloutStep = { stage: "Full", name: "full", percent: 100 };
export const ROLLED_BACK: RolloutStep = { stage: "RolledBack", name: "rolled-back", percent: 0 };

function canary(percent: number): RolloutStep {
  return { stage: "Canary", name: `canary-${percent}`, percent };
}

/** Where a new version begins. */
export function firstStep(rollout: RolloutSpec): RolloutStep {
  return rollout.shadow === undefined ? afterShadow(rollout, 0) : SHADOW;
}

/**
 * What follows a step, be it one that somebody has taken out of the spec meanwhile. A version that was taken back goes on
 * behind the shadow stage, for that is what it has been in since.
 */
export function stepAfter(rollout: RolloutSpec, { stage, percent }: Omit<RolloutStep, "name">): RolloutStep {
  switch (stage) {
    case "Shadow":
    case "RolledBack":
      return afterShadow(rollout, 0);
    case "Canary":
      return afterShadow(rollout, percent);
    case "Bake":
    case "Full":
      return FULL;
    default:
      return stage satisfies never;
  }
}

/** A last look is part of every rollout: each replica has to keep the version everywhere before nothing else is kept. */
function afterShadow({ canary: canaries }: RolloutSpec, percent: number): RolloutStep {
  const next = (canaries?.steps ?? []).find((step) => step.percent > percent);
  return next === undefined ? BAKE : canary(next.percent);
}

/** How long a step lasts, in milliseconds; 0 for one that is not in the spec. Undefined where time ends nothing. */
export function stepDurationMs(
  { shadow, canary: canaries, bake }: RolloutSpec,
  { stage, percent }: Omit<RolloutStep, "name">,
): number | undefined {
  switch (stage) {
    case "Shadow":
      return lengthMs(shadow?.duration);
    case "Canary":
      return lengthMs(canaries?.steps.find((step) => step.percent === percent)?.duration);
    case "Bake":
      return lengthMs(bake?.duration);
    case "Full":
    case "RolledBack":
      return undefined;
    default:
      return stage satisfies never;
  }
}

function lengthMs(duration: string | undefined): number {
  return duration === undefined ? 0 : parseDurationMs(duration);
}

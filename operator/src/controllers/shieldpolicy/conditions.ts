import { type Condition, NOT_SERVED } from "@shieldx/crds";

/** One aspect of a policy and why. */
export interface Aspect {
  readonly isTrue: boolean;
  readonly reason: string;
  readonly message: string;
}

/** What was concluded about a policy, from which all of its conditions follow. */
export interface Conclusion {
  readonly compiled: Aspect;
  readonly testsPassed: Aspect;
  readonly enforced: Aspect;
  /** The policy is not meant to act on requests; `enforced` says why. */
  readonly isOff?: boolean;
  /** undefined: not degraded. */
  readonly degraded: Aspect | undefined;
}

/** Degraded for these reasons leaves the policy in force as written. */
const HARMLESS: ReadonlySet<string> = new Set(["TypeCheckWarnings", "NotAudited", "ReportsNotWritten"]);

/**
 * The five conditions, in fixed order. `lastTransitionTime` is kept where the status did not change, and the whole
 * list is equal to `previous` when nothing did.
 */
export function conditionsOf(
  conclusion: Conclusion,
  previous: readonly Condition[],
  generation: number,
  now: number,
): Condition[] {
  const aspects: readonly (readonly [string, Aspect])[] = [
    ["Ready", readyOf(conclusion)],
    ["Compiled", conclusion.compiled],
    ["TestsPassed", conclusion.testsPassed],
    ["Enforced", conclusion.enforced],
    [
      "Degraded",
      conclusion.degraded ?? {
        isTrue: false,
        reason: "AsWritten",
        message: "nothing older or partial is in force",
      },
    ],
  ];
  return aspects.map(([type, aspect]) => {
    const before = previous.find((condition) => condition.type === type);
    const status = aspect.isTrue ? "True" : "False";
    return {
      type,
      status,
      observedGeneration: generation,
      lastTransitionTime:
        before?.status === status
          ? before.lastTransitionTime
          : new Date(now).toISOString().replace(/\.\d+Z$/, "Z"),
      reason: aspect.reason,
      message: aspect.message,
    };
  });
}

function readyOf({ compiled, testsPassed, enforced, isOff, degraded }: Conclusion): Aspect {
  if (!compiled.isTrue) return { isTrue: false, reason: compiled.reason, message: compiled.message };
  if (!testsPassed.isTrue) return testsPassed;
  if (isOff === true && degraded?.reason !== NOT_SERVED) return { ...enforced, isTrue: true };
  if (degraded?.reason === NOT_SERVED) return { ...degraded, isTrue: false };
  if (!enforced.isTrue) return { isTrue: false, reason: enforced.reason, message: enforced.message };
  if (degraded?.isTrue === true && !HARMLESS.has(degraded.reason)) {
    return { isTrue: false, reason: degraded.reason, message: degraded.message };
  }
  return { isTrue: true, reason: "InForce", message: "in force as written" };
}

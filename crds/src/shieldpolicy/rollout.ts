/** `spec.rollout`: the stages in which a version of a policy goes into force. */
import * as z from "zod";
import { parseDurationMs } from "../kubernetes/duration.ts";
import { duration } from "../kubernetes/names.ts";
import { atomicList, wholeNumber } from "../structural/fields.ts";
import { rule } from "../structural/server-check.ts";

/** Requests that have to be judged in a step before their share of denials and errors counts, unless said otherwise. */
export const DEFAULT_MIN_REQUESTS = 20;

const LONGEST_HOURS = 8784;

function stageDuration() {
  return duration().check(
    rule<string>({
      rule: `self.matches('^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$') && duration(self) <= duration('${LONGEST_HOURS}h')`,
      message: `a stage lasts at most ${LONGEST_HOURS}h (366 days)`,
      holds: (value) => parseDurationMs(value) <= LONGEST_HOURS * 3_600_000,
    }),
  );
}

const canaryStep = z
  .object({
    percent: wholeNumber({ min: 1, max: 99 }).describe(
      "Share of namespaces in which the new version acts, in percent. Which they are is a matter of a hash of their names: " +
        "a greater share holds those of a smaller one.",
    ),
    duration: stageDuration().describe("How long the step lasts before the next one begins."),
  })
  .describe("One step.");

interface Steps {
  readonly steps: readonly { readonly percent: number }[];
}

const canary = z
  .object({
    steps: atomicList(canaryStep, { min: 1, max: 10 }).describe(
      "Growing shares of namespaces in which the new version acts.",
    ),
  })
  .check(
    rule<Steps>({
      rule:
        "self.steps.map(s, s.percent).isSorted() && " +
        "self.steps.all(s, self.steps.exists_one(t, t.percent == s.percent))",
      message: "each step needs a greater percent than the one before it",
      fieldPath: ".steps",
      holds: ({ steps }) =>
        steps.every(({ percent }, index) => index === 0 || percent > (steps[index - 1]?.percent ?? 0)),
    }),
  );

const rollback = z.object({
  maxDenialPercent: wholeNumber({ min: 0, max: 100 })
    .describe(
      "Go back when the new version refuses more than this share of the requests it judges (or, where it does not act, would " +
        "refuse, warn about or note).",
    )
    .exactOptional(),
  maxErrorPercent: wholeNumber({ min: 0, max: 100 })
    .describe("Go back when more than this share of evaluations comes to no verdict.")
    .exactOptional(),
  maxLatencyMilliseconds: wholeNumber({ min: 1, max: 30_000 })
    .describe(
      "Go back when the 99th percentile of the time that the new version takes for a request, without what it waits for from " +
        "others, exceeds this.",
    )
    .exactOptional(),
  minRequests: wholeNumber({ min: 1, max: 1_000_000 })
    .default(DEFAULT_MIN_REQUESTS)
    .describe("So many requests have to be judged in a step before any of these shares counts."),
});

/** `spec.rollout`. */
export const rollout = z.object({
  shadow: z
    .object({ duration: stageDuration().describe("How long to evaluate without acting.") })
    .describe("First stage: the new version is evaluated and counted, and acts on nothing.")
    .exactOptional(),
  canary: canary
    .describe(
      "Second stage: the new version acts in a share of the namespaces, not on cluster-scoped objects.",
    )
    .exactOptional(),
  bake: z
    .object({ duration: stageDuration().describe("How long to watch before the rollout is over.") })
    .describe(
      "Last stage: the new version acts everywhere, and is still watched and can be taken back. Left out, it lasts some seconds.",
    )
    .exactOptional(),
  rollback: rollback
    .describe(
      "When to go back to the first stage without being asked; the rollout then waits for a person, or for another version. Left " +
        "out, never.",
    )
    .exactOptional(),
  paused: z
    .boolean()
    .describe("Stay in the present stage. A rollback takes place all the same.")
    .exactOptional(),
});

/** `spec.rollout` with its defaults applied. */
export type RolloutSpec = z.output<typeof rollout>;

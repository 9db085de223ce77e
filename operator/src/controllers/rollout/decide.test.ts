import {
  type RolloutSpec,
  type RolloutStatus,
  rolloutDigest,
  type ShieldPolicy,
  stagingOf,
} from "@shieldx/crds";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BakeClock } from "./bake-clock.ts";
import { NOTHING_COUNTED } from "./counts.ts";
import {
  decideRollout,
  isBaking,
  type RolloutDecision,
  type RolloutObservation,
  SHORTEST_STEP_MS,
} from "./decide.ts";

const T0 = Date.parse("2026-01-01T00:00:00Z");
const rollout: RolloutSpec = {
  shadow: { duration: "60s" },
  canary: {
    steps: [
      { percent: 10, duration: "60s" },
      { percent: 50, duration: "60s" },
    ],
  },
  bake: { duration: "60s" },
  rollback: { maxDenialPercent: 10, minRequests: 20 },
};
const specOf = (level: string, of: RolloutSpec = rollout): ShieldPolicy["spec"] =>
  ({
    engine: "podSecurity",
    podSecurity: { level, version: "latest" },
    actions: { admission: "deny" },
    evaluation: "Auto",
    rollout: of,
  }) as ShieldPolicy["spec"];

interface Change {
  readonly spec?: ShieldPolicy["spec"];
  readonly status?: RolloutStatus | undefined;
  readonly generation?: number;
}

function observation(change: Change, over: Partial<RolloutObservation> = {}): RolloutObservation {
  const { spec = specOf("restricted"), status, generation = 1 } = change;
  return {
    policy: {
      metadata: { name: "p", uid: "u", generation },
      spec,
      ...(status === undefined ? {} : { status: { rollout: status } }),
    } as RolloutObservation["policy"],
    request: undefined,
    problem: undefined,
    replicas: { live: 2, keeping: 2 },
    isPublished: true,
    counted: { counts: status?.counts ?? NOTHING_COUNTED, processes: [] },
    found: status?.found,
    bakedMs: 0,
    before: undefined,
    ...over,
  };
}

const decide = (change: Change, over: Partial<RolloutObservation> = {}, now = T0): RolloutDecision =>
  decideRollout(observation(change, over), now);
const reasons = ({ news }: RolloutDecision): string[] => news.map(({ reason }) => reason);
const begun = (): RolloutStatus => must(decide({}).status);
function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("there is none");
  return value;
}
/** A status in a step, reached by promotions. */
function inStep(step: string, spec = specOf("restricted")): RolloutStatus {
  let status = must(decide({ spec }).status);
  while (status.step !== step)
    status = must(decide({ spec, status }, { request: `promote-from=${status.step}@${status.turn}` }).status);
  return status;
}

describe("a new version", () => {
  it("begins with the first step, and tells that nothing is in force where it does not act", () => {
    const decision = decide({});
    expect(decision.status).toMatchObject({
      stage: "Shadow",
      step: "shadow",
      percent: 0,
      turn: 1,
      generation: 1,
    });
    expect(decision.status).toMatchObject({ since: "2026-01-01T00:00:00Z", until: "2026-01-01T00:01:00Z" });
    expect(decision.news).toMatchObject([{ type: "Normal", reason: "RolloutBegan" }]);
    expect(decide({ generation: 2 }).news).toMatchObject([{ type: "Warning", reason: "RolloutBegan" }]);
  });

  it("begins anew beside the last that was in force everywhere, whatever the one between had come to", () => {
    const full = inStep("full", specOf("baseline"));
    const second = must(decide({ status: full, generation: 2 }).status);
    expect(second).toMatchObject({ step: "shadow", turn: full.turn + 1, inForce: { digest: full.digest } });
    expect(second.found).toBeUndefined();
    const between = must(decide({ status: second }, { request: "promote-from=shadow" }).status);
    const third = must(decide({ spec: specOf("privileged"), status: between, generation: 3 }).status);
    expect(third).toMatchObject({ step: "shadow", inForce: { digest: full.digest } });
    const kept = stagingOf(
      observation({ spec: specOf("privileged"), status: third, generation: 3 }).policy,
    )?.inForce;
    expect(kept?.spec).toMatchObject({ podSecurity: { level: "baseline" } });
    expect(kept?.spec.rollout).toBeUndefined();
  });

  it("is in force at once where it is the version that is", () => {
    const full = inStep("full", specOf("baseline"));
    const second = must(decide({ status: full, generation: 2 }).status);
    const back = decide({ spec: specOf("baseline"), status: second, generation: 3 });
    expect(back.status).toMatchObject({ stage: "Full", percent: 100 });
    expect(reasons(back)).toEqual(["RolledOut"]);
    const added = { digest: rolloutDigest(specOf("restricted")), spec: specOf("restricted") };
    expect(decide({ generation: 2 }, { before: added }).status).toMatchObject({ stage: "Full" });
  });

  it("does not begin while it cannot be judged by", () => {
    const full = inStep("full", specOf("baseline"));
    const decision = decide({ status: full, generation: 2 }, { problem: "Compiling: not yet" });
    expect(decision).toEqual({ status: full, news: [], dueMs: undefined });
    expect(decide({}, { problem: "Invalid: no" }).status).toBeUndefined();
  });

  it("does not begin for a change of its rollout or tests", () => {
    const status = inStep("canary-10");
    const spec = { ...specOf("restricted", { ...rollout, paused: true }), tests: [] as never };
    expect(decide({ spec, status, generation: 9 }).status).toMatchObject({
      step: "canary-10",
      generation: 9,
    });
  });
});

describe("a step", () => {
  it("ends when its time has passed, and one at a time", () => {
    const status = begun();
    expect(decide({ status }, { bakedMs: 59_000 })).toMatchObject({
      status: { step: "shadow" },
      dueMs: 1_000,
    });
    const next = decide({ status }, { bakedMs: 10 ** 12 }, T0 + 10 ** 12);
    expect(next.status).toMatchObject({
      step: "canary-10",
      percent: 10,
      turn: 2,
      bakedSeconds: 0,
      counts: NOTHING_COUNTED,
    });
    expect(reasons(next)).toEqual(["RolloutPromoted"]);
  });

  it.each<[string, Partial<RolloutObservation>, string]>([
    ["no replica lives", { replicas: { live: 0, keeping: 0 } }, "none is alive"],
    ["a replica does not keep it", { replicas: { live: 2, keeping: 1 } }, "1 of 2 do"],
    ["nobody asks the webhook", { isPublished: false }, "waits until requests are sent"],
    ["it cannot be judged by", { problem: "Invalid: no" }, "cannot be judged by: Invalid: no"],
  ])("does not end while %s", (_, over, message) => {
    const { status, news } = decide({ status: begun() }, { bakedMs: 10 ** 9, ...over });
    expect(status).toMatchObject({ step: "shadow", message: expect.stringContaining(message) });
    expect(news).toEqual([]);
    expect(isBaking(observation({ status: begun() }, over))).toBe(false);
  });

  it("lasts as long as every API server needs, though its duration is none", () => {
    const status = inStep("bake", specOf("restricted", { canary: must(rollout.canary) }));
    const spec = specOf("restricted", { canary: must(rollout.canary) });
    expect(decide({ spec, status }, { bakedMs: SHORTEST_STEP_MS - 1 }).status).toMatchObject({
      step: "bake",
    });
    const full = decide({ spec, status }, { bakedMs: SHORTEST_STEP_MS });
    expect(full.status).toMatchObject({ step: "full", inForce: { digest: status.digest } });
    expect(full.status?.processes).toBeUndefined();
    expect(reasons(full)).toEqual(["RolledOut"]);
  });

  it("is taken back at once when a limit is exceeded, also while paused and before any promotion", () => {
    const status = inStep("canary-10");
    const counted = { counts: { ...NOTHING_COUNTED, requests: 40, denied: 12 }, processes: [] };
    const spec = specOf("restricted", { ...rollout, paused: true });
    const asked = { counted, bakedMs: 10 ** 9, request: `promote-from=canary-10@${status.turn}` };
    const decision = decide({ spec, status }, asked);
    expect(decision.status).toMatchObject({
      stage: "RolledBack",
      percent: 0,
      turn: status.turn + 1,
      rollback: {
        reason: "DenialRate",
        from: "canary-10",
        message: expect.stringContaining("12 of 40 requests (30 %)"),
      },
      answered: { accepted: false },
    });
    expect(reasons(decision)).toEqual(["RolledBack", "RolloutRequestRefused"]);
    const stays = decide({ status: must(decision.status) }, { bakedMs: 10 ** 9 });
    expect(stays.status).toMatchObject({ stage: "RolledBack" });
    expect(stays.news).toEqual([]);
  });

  it("ends with the rollout where spec.rollout is removed", () => {
    const { rollout: _, ...without } = specOf("restricted");
    expect(decide({ spec: without as ShieldPolicy["spec"], status: inStep("canary-10") })).toMatchObject({
      status: undefined,
      news: [{ reason: "RolloutRemoved" }],
    });
  });
});

describe("people", () => {
  it("who promote from the same step at once take one step", () => {
    const status = begun();
    const request = `promote-from=shadow@${status.turn}`;
    const first = must(decide({ status }, { request }).status);
    expect(first).toMatchObject({ step: "canary-10", answered: { request, accepted: true } });
    expect(decide({ status: first }, { request }).status).toMatchObject({
      step: "canary-10",
      turn: first.turn,
    });
    const late = decide({ status: first }, { request: "promote-from=shadow" });
    expect(late.status).toMatchObject({ step: "canary-10", answered: { accepted: false } });
    expect(reasons(late)).toEqual(["RolloutRequestRefused"]);
  });

  it("cannot promote by a request of an earlier turn", () => {
    const status = inStep("canary-10");
    const aborted = must(decide({ status }, { request: "abort-from=canary-10" }).status);
    const again = must(decide({ status: aborted }, { request: "promote-from=rolled-back" }).status);
    expect(again).toMatchObject({ step: "canary-10", turn: status.turn + 2 });
    const stale = decide({ status: again }, { request: `promote-from=canary-10@${status.turn}` });
    expect(stale.status).toMatchObject({ step: "canary-10", answered: { accepted: false } });
  });

  it("pause and resume, and promote meanwhile", () => {
    const paused = must(decide({ status: begun() }, { request: "pause" }).status);
    expect(paused).toMatchObject({ paused: true, answered: { accepted: true } });
    expect(isBaking(observation({ status: paused }))).toBe(false);
    expect(decide({ status: paused }, { request: "pause", bakedMs: 10 ** 9 }).status).toMatchObject({
      step: "shadow",
      message: expect.stringContaining("paused"),
    });
    const next = must(decide({ status: paused }, { request: "promote-from=shadow" }).status);
    expect(next).toMatchObject({ step: "canary-10", paused: true });
    const resumed = must(decide({ status: next }, { request: "resume" }).status);
    expect(resumed.paused).toBeUndefined();
  });

  it("can ask the same again once the annotation was away", () => {
    const refused = must(decide({ status: begun() }, { request: "promote-from=bake" }).status);
    expect(refused.answered).toBeDefined();
    expect(must(decide({ status: refused }).status).answered).toBeUndefined();
  });

  it("promote to the end only when everybody keeps the step before", () => {
    const status = inStep("bake");
    const request = `promote-from=bake@${status.turn}`;
    const waiting = decide({ status }, { request, replicas: { live: 2, keeping: 1 } });
    expect(waiting.status).toMatchObject({ step: "bake" });
    expect(waiting.status?.answered?.request).not.toBe(request);
    expect(decide({ status }, { request }).status).toMatchObject({ step: "full" });
  });

  it.each(["", "promote", "promote-from=shadow; drop", "__proto__", "x".repeat(10_000)])(
    "who write %j are told what to write",
    (request) => {
      const { status } = decide({ status: begun() }, { request });
      expect(status).toMatchObject({ step: "shadow", answered: { accepted: false } });
      expect(status?.answered?.request.length).toBeLessThanOrEqual(128);
    },
  );

  it("are refused what makes no sense", () => {
    const ask = (status: RolloutStatus, request: string, over = {}) =>
      decide({ status }, { request, ...over }).status?.answered;
    expect(ask(inStep("full"), "promote-from=full")).toMatchObject({ accepted: false });
    const back = must(decide({ status: begun() }, { request: "abort-from=shadow" }).status);
    expect(ask(back, "abort-from=rolled-back")).toMatchObject({ accepted: false });
    expect(ask(begun(), "promote-from=shadow", { problem: "Invalid: no" })).toMatchObject({
      accepted: false,
    });
  });
});

describe("time", () => {
  const CHECK_MS = 6_000;
  const action = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("look" as const), ms: fc.nat(20_000) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("jump" as const),
        ms: fc.integer({ min: -(10 ** 10), max: 10 ** 10 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const), ms: fc.nat(100_000) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("replica" as const), ms: fc.nat(1) }) },
  );

  /** One operator after another, whose clocks jump; its status is what stays. */
  function world() {
    let [monotonicMs, wallMs] = [0, T0];
    let clock = new BakeClock();
    let [status, keeping, restarts, sinceMs] = [undefined as RolloutStatus | undefined, 2, 0, 0];
    const ends: { step: string; ms: number; restarts: number }[] = [];
    const look = (): void => {
      const base = observation({ status }, { replicas: { live: 2, keeping } });
      const baking = isBaking(base);
      const bakedMs = clock.look("u", status, baking, CHECK_MS, { monotonicMs, wallMs });
      const next = decideRollout({ ...base, bakedMs }, wallMs).status;
      if (next === undefined) throw new Error("it has a rollout");
      if (next.turn !== status?.turn) {
        if (status !== undefined) ends.push({ step: status.step, ms: monotonicMs - sinceMs, restarts });
        [sinceMs, restarts] = [monotonicMs, 0];
      }
      status = { ...next, checkedAt: new Date(wallMs).toISOString() };
    };
    return {
      look,
      ends,
      step: () => status?.step,
      pass: (ms: number) => {
        monotonicMs += ms;
        wallMs += ms;
      },
      jump: (ms: number) => {
        wallMs = Math.max(0, wallMs + ms);
      },
      restart: () => {
        clock = new BakeClock();
        restarts++;
      },
      flip: () => {
        keeping = 3 - keeping;
      },
      mend: () => {
        keeping = 2;
      },
    };
  }

  it("ends no step early, whatever clocks do, and takes one step at a look", () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const it = world();
        it.look();
        for (const { kind, ms } of actions) {
          const before = it.ends.length;
          if (kind === "jump") it.jump(ms);
          else if (kind === "replica") it.flip();
          else {
            it.pass(ms);
            if (kind === "restart") it.restart();
          }
          it.look();
          expect(it.ends.length - before).toBeLessThanOrEqual(1);
        }
        for (const { ms, restarts } of it.ends)
          expect(ms + restarts * CHECK_MS).toBeGreaterThanOrEqual(60_000);
      }),
      { numRuns: 500 },
    );
  });

  it("holds no step up for ever, whatever clocks did", () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const it = world();
        it.look();
        for (const { kind, ms } of actions) {
          if (kind === "jump") it.jump(ms);
          else if (kind === "replica") it.flip();
          else {
            it.pass(ms);
            if (kind === "restart") it.restart();
          }
          it.look();
        }
        it.mend();
        for (let second = 0; second < 4 * 61 + 10 && it.step() !== "full"; second++) {
          it.pass(1_000);
          it.look();
        }
        expect(it.step()).toBe("full");
      }),
      { numRuns: 300 },
    );
  });
});

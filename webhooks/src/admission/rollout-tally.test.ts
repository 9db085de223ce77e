import { parseRolloutReports, rolloutDigest, type ShieldPolicy } from "@shieldx/crds";
import { buildPolicySet, type Finding, type PolicySet, type Verdict } from "@shieldx/policy-engine";
import { describe, expect, it } from "vitest";
import type { AdmissionRequest } from "../server/admission-review.ts";
import { RolloutTally } from "./rollout-tally.ts";
import { ShadowRuns } from "./shadow-runs.ts";

const policy = (turn: number, percent: number): ShieldPolicy => {
  const spec = {
    engine: "podSecurity",
    podSecurity: { level: "baseline", version: "latest" },
    actions: { admission: "deny" },
    evaluation: "Auto",
    rollout: { shadow: { duration: "1h" }, rollback: { maxLatencyMilliseconds: 50, minRequests: 20 } },
  } as ShieldPolicy["spec"];
  const rollout = {
    digest: rolloutDigest(spec),
    generation: 1,
    stage: "Canary" as const,
    step: "canary",
    percent,
    turn,
    since: "2026-01-01T00:00:00Z",
  };
  const metadata = { name: "p", uid: "uid-p", generation: 1 };
  return { apiVersion: "shieldx.io/v1alpha1", kind: "ShieldPolicy", metadata, spec, status: { rollout } };
};
const setOf = (turn: number, percent = 10): PolicySet =>
  buildPolicySet({ policies: [policy(turn, percent)], exceptions: [], serverMinor: 37, keepsStages: true });
const request = (namespace: string, name = "web"): AdmissionRequest =>
  ({
    uid: "1",
    kind: { group: "", version: "v1", kind: "Pod" },
    namespace,
    name,
    object: {},
  }) as AdmissionRequest;
const finding = (code: Finding["code"]): Finding => ({
  policy: "p",
  action: "deny",
  code,
  message: "the whole message",
  violations: code === "PolicyViolation" ? [{ checkId: "c", reason: "r", detail: "what is wrong" }] : [],
  statusReason: "Forbidden",
});
const verdict = (findings: readonly Finding[], tookMs = 1, matched = ["p"]): Verdict =>
  ({
    denials: findings,
    warnings: [],
    audits: [],
    matched,
    staged: [{ policy: "p", tookMs }],
  }) as unknown as Verdict;

function setUp(set: PolicySet) {
  let news = 0;
  const tally = new RolloutTally("one", () => {
    news++;
  });
  tally.follow(set);
  const told = () => parseRolloutReports(tally.report())?.rollouts[0];
  return { tally, told, news: () => news };
}

describe("RolloutTally", () => {
  it("tells each turn that is kept here, before anything is counted", () => {
    expect(setUp(setOf(3)).told()).toMatchObject({ uid: "uid-p", turn: 3, counts: { requests: 0 } });
    expect(setUp(setOf(0)).told()).toBeUndefined();
  });

  it("counts what it acted on, and finds what it would have", () => {
    const set = setOf(3);
    const { tally, told, news } = setUp(set);
    tally.count(set, request("shop"), verdict([]), true);
    tally.count(set, request("shop"), verdict([finding("PolicyViolation")], 51), true);
    tally.count(set, request("shop"), verdict([finding("EvaluationError")]), true);
    tally.count(set, request("till", "other"), verdict([finding("PolicyViolation")]), false);
    tally.count(set, request("till"), verdict([], 1, []), true);
    expect(told()).toMatchObject({
      counts: { requests: 3, denied: 1, errors: 1, slow: 1, found: 2 },
      distinct: 2,
      objects: [
        { namespace: "shop", kind: "Pod", name: "web", message: "what is wrong" },
        { namespace: "till", name: "other" },
      ],
    });
    expect(news()).toBe(4);
  });

  it("counts in shadow what it would have done", () => {
    const set = setOf(3, 0);
    const { tally, told } = setUp(set);
    tally.count(set, request("shop"), verdict([finding("PolicyViolation")]), false);
    expect(told()?.counts).toMatchObject({ requests: 1, denied: 1 });
  });

  it("goes on in the same turn, begins anew in the next, and counts nothing for one that is over", () => {
    const [first, second] = [setOf(3), setOf(4)];
    const { tally, told } = setUp(first);
    tally.count(first, request("shop"), verdict([]), true);
    expect(tally.follow(setOf(3))).toBe(false);
    expect(told()?.counts.requests).toBe(1);
    expect(tally.follow(second)).toBe(true);
    expect(told()).toMatchObject({ turn: 4, counts: { requests: 0 } });
    tally.count(first, request("shop"), verdict([]), true);
    expect(told()?.counts.requests).toBe(0);
  });

  it("bounds what it remembers of ever new objects and namespaces", () => {
    const set = setOf(3);
    const { tally, told } = setUp(set);
    for (let at = 0; at < 3_000; at++)
      tally.count(set, request(`team-${at}`, `pod-${at}`), verdict([finding("PolicyViolation")]), true);
    expect(told()).toMatchObject({ distinct: 1_000, counts: { denied: 3_000, found: 3_000 } });
  });
});

describe("ShadowRuns", () => {
  it("does what it took, a few at a time, and leaves out what is too much", async () => {
    const runs = new ShadowRuns();
    let [running, most, done] = [0, 0, 0];
    const open: (() => void)[] = [];
    const work = async () => {
      running++;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => open.push(resolve));
      running--;
      done++;
    };
    const taken = Array.from({ length: 100 }, () => runs.add(work)).filter(Boolean).length;
    expect(taken).toBe(64);
    let isIdle = false;
    const idle = runs.whenIdle().then(() => {
      isIdle = true;
    });
    while (!isIdle) {
      open.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await idle;
    expect(done).toBe(64);
    expect(most).toBe(4);
    await runs.whenIdle();
  });
});

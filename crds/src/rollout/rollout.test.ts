import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RolloutSpec } from "../shieldpolicy/rollout.ts";
import type { ShieldPolicy } from "../shieldpolicy/schema.ts";
import {
  formatRolloutReports,
  MAX_REPORTED_ROLLOUTS,
  parseRolloutReports,
  type RolloutReport,
} from "./reports.ts";
import { formatRolloutRequest, parseRolloutRequest } from "./requests.ts";
import {
  actsInNamespace,
  keptSpecOf,
  rolloutDigest,
  type StagedPolicy,
  stagingKey,
  stagingOf,
  webhookCallsFor,
} from "./staging.ts";
import { firstStep, stepAfter, stepDurationMs } from "./steps.ts";

const rollout: RolloutSpec = {
  shadow: { duration: "1h" },
  canary: {
    steps: [
      { percent: 10, duration: "2h" },
      { percent: 50, duration: "3h" },
    ],
  },
  bake: { duration: "4h" },
};
const specOf = (level: "baseline" | "restricted"): ShieldPolicy["spec"] =>
  ({
    engine: "podSecurity",
    podSecurity: { level, version: "latest" },
    actions: { admission: "deny" },
    evaluation: "Auto",
    rollout,
  }) as ShieldPolicy["spec"];
const [before, now] = [specOf("baseline"), specOf("restricted")];
const status = (over: object): NonNullable<StagedPolicy["status"]> => ({
  rollout: {
    digest: rolloutDigest(now),
    generation: 7,
    stage: "Canary",
    step: "canary-10",
    percent: 10,
    turn: 3,
    since: "2026-01-01T00:00:00Z",
    inForce: { digest: rolloutDigest(before), spec: keptSpecOf(before) },
    ...over,
  },
});
const policy = (over?: object): StagedPolicy => ({
  metadata: { generation: 8 },
  spec: now,
  ...(over === undefined ? {} : { status: status(over) }),
});

describe("steps", () => {
  it("follow one another to the end, whatever is left out", () => {
    const path = (spec: RolloutSpec): string[] => {
      const names: string[] = [];
      for (let step = firstStep(spec); names.at(-1) !== "full"; step = stepAfter(spec, step))
        names.push(step.name);
      return names;
    };
    expect(path(rollout)).toEqual(["shadow", "canary-10", "canary-50", "bake", "full"]);
    expect(path({ shadow: { duration: "1h" } })).toEqual(["shadow", "bake", "full"]);
    expect(path({ bake: { duration: "1h" } })).toEqual(["bake", "full"]);
  });

  it("go on behind a step that was taken out of the spec, and behind shadow after a rollback", () => {
    expect(stepAfter(rollout, { stage: "Canary", percent: 30 }).name).toBe("canary-50");
    expect(stepAfter(rollout, { stage: "Canary", percent: 80 }).name).toBe("bake");
    expect(stepAfter(rollout, { stage: "RolledBack", percent: 0 }).name).toBe("canary-10");
    expect(stepDurationMs(rollout, { stage: "Canary", percent: 30 })).toBe(0);
    expect(stepDurationMs(rollout, { stage: "Canary", percent: 50 })).toBe(3 * 3_600_000);
    expect(stepDurationMs(rollout, { stage: "RolledBack", percent: 0 })).toBeUndefined();
  });
});

describe("a share of namespaces", () => {
  it("only grows, and is about as large as it says", () => {
    const name = fc.string({ minLength: 1, maxLength: 63 });
    fc.assert(
      fc.property(name, name, fc.nat(100), fc.nat(100), (of, namespace, a, b) => {
        const [less, more] = [Math.min(a, b), Math.max(a, b)];
        expect(actsInNamespace(of, less, namespace) && !actsInNamespace(of, more, namespace)).toBe(false);
      }),
    );
    const names = Array.from({ length: 4_000 }, (_, at) => `team-${at}`);
    const acting = (of: string) => names.filter((namespace) => actsInNamespace(of, 25, namespace));
    expect(acting("p").length).toBeGreaterThan(900);
    expect(acting("p").length).toBeLessThan(1_100);
    expect(acting("p")).not.toEqual(acting("q"));
    expect(names.some((namespace) => actsInNamespace("p", 0, namespace))).toBe(false);
    expect(names.every((namespace) => actsInNamespace("p", 100, namespace))).toBe(true);
  });
});

describe("stagingOf", () => {
  it("is none without a rollout, and once the version is in force everywhere", () => {
    const { rollout: _, ...spec } = now;
    expect(stagingOf({ ...policy({}), spec })).toBeUndefined();
    expect(stagingOf(policy({ stage: "Full", step: "full", percent: 100 }))).toBeUndefined();
    expect(stagingOf(policy({}))).toMatchObject({ stage: "Canary", percent: 10, turn: 3, isTold: true });
  });

  it("is shadow for a version that the status does not speak of, beside the version it keeps", () => {
    expect(stagingOf(policy())).toMatchObject({ stage: "Shadow", percent: 0, turn: 0, inForce: undefined });
    const other = stagingOf(policy({ digest: rolloutDigest(before), stage: "Full", percent: 100 }));
    expect(other).toMatchObject({ stage: "Shadow", percent: 0, isTold: false });
    expect(other?.inForce?.spec.podSecurity?.level).toBe("baseline");
  });

  it("does not begin for a spec that nobody wrote, though a newer ShieldX reads more into it", () => {
    const same = {
      ...policy({ digest: "of-an-older-schema", stage: "Full", percent: 100 }),
      metadata: { generation: 7 },
    };
    expect(stagingOf(same)).toBeUndefined();
  });

  it("is about what a version does, and not about its rollout and tests", () => {
    const tests = [{ name: "a", expect: { decision: "allow" } }] as never;
    expect(rolloutDigest({ ...now, tests, rollout: { bake: { duration: "1s" } } })).toBe(rolloutDigest(now));
    expect(rolloutDigest(before)).not.toBe(rolloutDigest(now));
  });

  it.each(["", "{", "[]", "null", '{"engine":"js"}', '{"__proto__":{"engine":"cel"}}'])(
    "keeps nothing where what is kept is %j",
    (spec) => expect(stagingOf(policy({ inForce: { digest: "d", spec } }))?.inForce).toBeUndefined(),
  );

  it("has another key for whatever replicas have to know", () => {
    const keys = [{}, { turn: 4 }, { percent: 50 }, { inForce: undefined }, { stage: "Full" }].map((over) =>
      stagingKey(policy(over)),
    );
    expect(new Set(keys).size).toBe(keys.length);
    expect(stagingKey(policy({ counts: {}, bakedSeconds: 9 }))).toBe(keys[0]);
  });
});

describe("webhookCallsFor", () => {
  const failurePolicies = (over: object) => webhookCallsFor(policy(over)).map((calls) => calls.failurePolicy);

  it("asks for the new version by Ignore until it acts everywhere, and for the one before as it says itself", () => {
    expect(failurePolicies({})).toEqual(["Ignore", "Fail"]);
    expect(failurePolicies({ inForce: undefined })).toEqual(["Ignore"]);
    expect(failurePolicies({ stage: "Bake", percent: 100 })).toEqual(["Ignore", "Fail", "Fail"]);
    expect(failurePolicies({ stage: "Full", percent: 100 })).toEqual(["Fail"]);
  });

  it("asks the webhook for what the API server will evaluate in the end", () => {
    const cel = {
      engine: "cel",
      evaluation: "Native",
      actions: { admission: "deny" },
      matchConstraints: { resourceRules: [], matchPolicy: "Equivalent" },
      rollout,
    } as unknown as ShieldPolicy["spec"];
    expect(webhookCallsFor({ metadata: {}, spec: cel, status: { enforcedBy: "Native" } })).toMatchObject([
      { engine: "cel", failurePolicy: "Ignore" },
    ]);
  });

  it("asks the webhook once it is to take over, so that it can", () => {
    const cel = {
      engine: "cel",
      evaluation: "Auto",
      actions: { admission: "deny" },
      matchConstraints: { resourceRules: [], matchPolicy: "Equivalent" },
    } as unknown as ShieldPolicy["spec"];
    const callsAt = (status: ShieldPolicy["status"]) =>
      webhookCallsFor({ metadata: {}, spec: cel, ...(status === undefined ? {} : { status }) }).length;
    expect(callsAt({ enforcedBy: "Native" })).toBe(0);
    expect(callsAt({ enforcedBy: "Native", handingOverTo: "Webhook" })).toBe(1);
    expect(callsAt({ enforcedBy: "Webhook", handingOverTo: "Native" })).toBe(1);
  });
});

describe("reports", () => {
  const report = (uid: string, over: Partial<RolloutReport> = {}): RolloutReport => ({
    uid,
    digest: "d",
    turn: 2,
    counts: { requests: 5, denied: 4, errors: 1, slow: 0, found: 9 },
    distinct: 1,
    objects: [{ namespace: "shop", kind: "Pod", name: "__proto__", message: "needs an owner" }],
    namespaces: [["shop", 9]],
    ...over,
  });

  it("come back as they were told", () => {
    const told = {
      process: "one",
      rollouts: [report("a"), report("__proto__", { objects: [], namespaces: [] })],
    };
    expect(parseRolloutReports(formatRolloutReports(told))).toEqual(told);
    expect(formatRolloutReports({ process: "one", rollouts: [] })).toBeUndefined();
  });

  it("fit into a Lease, whatever is found", () => {
    const wide = "\u0001".repeat(200);
    const objects = Array.from({ length: 50 }, (_, at) => ({
      namespace: "shop",
      kind: "Pod",
      name: `pod-${at}`,
      message: wide,
    }));
    const rollouts = Array.from({ length: 500 }, (_, at) =>
      report(`00000000-0000-0000-0000-${at}`, { objects }),
    );
    const text = formatRolloutReports({ process: "one", rollouts }) ?? "";
    expect(Buffer.byteLength(text)).toBeLessThan(48 * 1024);
    expect(parseRolloutReports(text)?.rollouts).toHaveLength(MAX_REPORTED_ROLLOUTS);
    const alone = parseRolloutReports(
      formatRolloutReports({ process: "one", rollouts: [report("a", { objects })] }),
    );
    expect(alone?.rollouts[0]?.objects.length).toBeGreaterThan(5);
    expect(alone?.rollouts[0]?.namespaces).toEqual([["shop", 9]]);
  });

  it.each([
    undefined,
    "",
    "[]",
    "{",
    '{"process":"p","rollouts":[[1]],"found":[]}',
    '{"process":"","rollouts":[],"found":[]}',
  ])("are nothing where %j stands", (text) => expect(parseRolloutReports(text)).toBeUndefined());
});

describe("requests", () => {
  it.each([
    ["pause", { verb: "pause" }],
    ["resume", { verb: "resume" }],
    ["promote-from=canary-10", { verb: "promote", step: "canary-10", turn: undefined }],
    ["abort-from=shadow@12", { verb: "abort", step: "shadow", turn: 12 }],
  ])("%s is understood, and written so", (text, request) => {
    expect(parseRolloutRequest(text)).toEqual(request);
    expect(formatRolloutRequest(request as never)).toBe(text);
  });

  it.each([
    "",
    "promote",
    "promote-from=",
    "promote-from=Canary",
    "promote-from=a@",
    "promote-from=a@1 ",
    `abort-from=${"a".repeat(500)}`,
  ])("%j is not", (text) => expect(parseRolloutRequest(text)).toBeUndefined());
});

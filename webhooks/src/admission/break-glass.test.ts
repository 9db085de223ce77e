import { MAX_REPORTED_GLASSES, parseBreakGlassReports, type StoredBreakGlass } from "@shieldx/crds";
import type { Finding, Verdict } from "@shieldx/policy-engine";
import { describe, expect, it } from "vitest";
import type { AdmissionRequest } from "../server/admission-review.ts";
import { BreakGlasses, judgeBreakGlass, setAside } from "./break-glass.ts";
import { BreakGlassTally } from "./break-glass-tally.ts";

const created = Date.parse("2026-12-01T10:00:00Z");
const hour = 3_600_000;
const iso = (ms: number): string => new Date(ms).toISOString();

function glass(name: string, untilMs: number, spec: object = {}): StoredBreakGlass {
  return {
    metadata: { name, uid: `uid-${name}`, creationTimestamp: iso(created) },
    spec: { policies: ["hosts"], reason: "INC-1: it has to be", expiresAt: iso(untilMs), ...spec },
  };
}

function opened(...glasses: StoredBreakGlass[]) {
  const clock = { now: created, monotonic: 0 };
  const all = new BreakGlasses({
    list: () => glasses,
    now: () => clock.now,
    monotonicNow: () => clock.monotonic,
  });
  for (const each of glasses) all.seen(each);
  return { all, clock };
}

describe("ShieldBreakGlasses of a replica", () => {
  it("end by themselves, with nobody to say so", () => {
    const { all, clock } = opened(glass("inc", created + hour));
    expect(all.openFor("hosts")?.name).toBe("inc");
    expect(all.openFor("other")).toBeUndefined();
    clock.now += hour;
    clock.monotonic += hour;
    expect(all.openFor("hosts")).toBeUndefined();
  });

  it("end in time when the clock on the wall is put back meanwhile, and stay over", () => {
    const { all, clock } = opened(glass("inc", created + hour));
    clock.monotonic += hour;
    clock.now += 10;
    expect(all.openFor("hosts")).toBeUndefined();
  });

  it("are over when a clock jumps ahead of their end, and stay over by the other when it comes back later", () => {
    const { all, clock } = opened(glass("inc", created + hour));
    clock.now += 2 * hour;
    expect(all.openFor("hosts")).toBeUndefined();
    clock.now = created + 1;
    clock.monotonic += hour;
    expect(all.openFor("hosts")).toBeUndefined();
  });

  it("are not open again in a process that has seen them only after their end", () => {
    const late = glass("inc", created + hour);
    const clock = { now: created + 2 * hour };
    const all = new BreakGlasses({ list: () => [late], now: () => clock.now, monotonicNow: () => 0 });
    all.seen(late);
    clock.now = created + 1;
    expect(all.openFor("hosts")).toBeUndefined();
  });

  it("are of no effect before they were seen, and when they would last longer than four hours", () => {
    const all = new BreakGlasses({
      list: () => [glass("inc", created + hour)],
      now: () => created,
      monotonicNow: () => 0,
    });
    expect(all.openFor("hosts")).toBeUndefined();
    expect(opened(glass("inc", created + 5 * hour)).all.openFor("hosts")).toBeUndefined();
  });

  it("name the one that ends last where there are several", () => {
    const { all } = opened(
      glass("a", created + hour),
      glass("b", created + 2 * hour, { policies: undefined, allPolicies: true }),
    );
    expect(all.openFor("hosts")?.name).toBe("b");
    expect(all.openFor("team/hosts")).toBeUndefined();
  });
});

const denial = (policy: string): Finding => ({
  policy,
  action: "deny",
  code: "PolicyViolation",
  message: `${policy} says no`,
  violations: [],
  statusReason: "Invalid",
});
const nothingToSay: Verdict = {
  allowed: true,
  denials: [],
  warnings: [],
  audits: [],
  exempted: [],
  matched: [],
  annotations: new Map(),
  asks: [],
  staged: [],
};
const verdict = (...denials: Finding[]): Verdict => ({
  ...nothingToSay,
  allowed: denials.length === 0,
  denials,
});
const open = { name: "inc", uid: "uid-inc", expiresAt: "2026-12-01T11:00:00Z" };

describe("refusals under a ShieldBreakGlass", () => {
  it("become warnings that name it and its end", () => {
    const aside = setAside(verdict(denial("hosts")), () => open);
    expect(aside.verdict).toMatchObject({ allowed: true, denials: [] });
    expect(aside.verdict.warnings.map(({ message }) => message)).toEqual([
      'let pass until 2026-12-01T11:00:00Z by ShieldBreakGlass "inc": hosts says no',
    ]);
    expect(aside.suspensions).toEqual([{ policy: "hosts", glass: open }]);
  });

  it("of other policies stay what they are", () => {
    const aside = setAside(verdict(denial("hosts"), denial("images")), (policy) =>
      policy === "hosts" ? open : undefined,
    );
    expect(aside.verdict.allowed).toBe(false);
    expect(aside.verdict.denials.map(({ policy }) => policy)).toEqual(["images"]);
  });

  it("leave a verdict alone that refuses nothing, and one that nothing is open for", () => {
    const refused = verdict(denial("hosts"));
    expect(setAside(refused, () => undefined).verdict).toBe(refused);
    expect(setAside(nothingToSay, () => open).verdict).toBe(nothingToSay);
  });
});

const request = (over: object = {}): AdmissionRequest => ({
  uid: "r",
  kind: { group: "", version: "v1", kind: "Pod" },
  resource: { group: "", version: "v1", resource: "pods" },
  operation: "CREATE",
  namespace: "shop",
  name: "web",
  userInfo: { username: "ann" },
  object: { metadata: { name: "web", uid: "pod-uid" } },
  ...over,
});
const suspensions = [{ policy: "hosts", glass: open }];

describe("the tally of what passed", () => {
  const tally = (clock = { now: created }) =>
    new BreakGlassTally(
      "process",
      () => clock.now,
      () => {},
    );
  const told = (of: BreakGlassTally) => parseBreakGlassReports(of.report([]));

  it("has who wrote what and when", () => {
    const of = tally();
    of.letPass(request(), suspensions);
    expect(told(of)).toMatchObject({
      counts: [{ glass: "uid-inc", policy: "hosts", requests: 1 }],
      requests: [
        {
          user: "ann",
          kind: "Pod",
          namespace: "shop",
          name: "web",
          uid: "pod-uid",
          operation: "CREATE",
          atMs: created,
        },
      ],
    });
  });

  it("does not hold dry runs for something that was written", () => {
    const of = tally();
    of.letPass(request({ dryRun: true }), suspensions);
    expect(told(of)).toBeUndefined();
  });

  it("counts everything and keeps the latest hundred of different objects", () => {
    const of = tally();
    for (let at = 0; at < 300; at++)
      of.letPass(request({ name: `web-${at}`, object: { metadata: { uid: `u${at}` } } }), suspensions);
    of.letPass(request({ name: "web-299", object: { metadata: { uid: "u299" } } }), suspensions);
    expect(told(of)?.counts[0]?.requests).toBe(301);
    expect(told(of)?.requests).toHaveLength(100);
    expect(told(of)?.requests.at(-1)?.name).toBe("web-299");
  });

  describe("of a policy that changes and judges", () => {
    const before = request({ name: "", object: { metadata: { generateName: "web-" } } });
    const after = request({
      name: "web-x1",
      object: { metadata: { generateName: "web-", name: "web-x1", uid: "pod-uid" } },
    });
    const many = (of: BreakGlassTally) => told(of)?.counts[0]?.requests;
    const names = (of: BreakGlassTally) => told(of)?.requests.map(({ name }) => name);

    it("counts a request once that it could not change, and would have refused", () => {
      const of = tally();
      of.letPassUnchanged(before, suspensions);
      expect([many(of), names(of)]).toEqual([1, ["web-*"]]);
      // The API server may ask again before it asks who judges.
      of.letPassUnchanged(before, suspensions);
      of.letPass(after, suspensions);
      expect([many(of), names(of)]).toEqual([1, ["web-x1"]]);
      of.letPassUnchanged(before, suspensions);
      expect(many(of)).toBe(2);
    });

    it("counts all of several at the same time, and does not take a later one for the same", () => {
      const clock = { now: created };
      const of = tally(clock);
      of.letPassUnchanged(before, suspensions);
      of.letPassUnchanged(before, suspensions);
      of.letPass(after, suspensions);
      of.letPass({ ...after, name: "web-x2", object: { metadata: { generateName: "web-" } } }, suspensions);
      expect([many(of), names(of)]).toEqual([2, ["web-x1", "web-x2"]]);
      of.letPassUnchanged(before, suspensions);
      clock.now += 60_000;
      of.letPass(after, suspensions);
      expect(many(of)).toBe(4);
    });
  });

  it("forgets after a day", () => {
    const clock = { now: created };
    const of = tally(clock);
    of.letPass(request(), suspensions);
    clock.now += 25 * hour;
    expect(of.report([])).toBeUndefined();
  });
});

describe("admission of a ShieldBreakGlass", () => {
  const judge = (spec: object, operation = "CREATE", open = 0) =>
    judgeBreakGlass(
      request({
        operation,
        object: {
          apiVersion: "shieldx.io/v1alpha1",
          kind: "ShieldBreakGlass",
          metadata: { name: "inc" },
          spec: { ...glass("inc", created + hour).spec, ...spec },
        },
      }),
      { policySet: undefined, now: created, open },
    );

  it("takes one of an hour, and says what follows", () => {
    const answer = judge({});
    expect(answer.allowed).toBe(true);
    expect(answer.warnings?.join("\n")).toContain("nothing is refused by hosts");
    expect(answer.warnings?.join("\n")).toContain('there is no ShieldPolicy "hosts" in force');
  });

  it("refuses one that is too long, over, or changed, and names the field and the remedy", () => {
    const refused = (answer: ReturnType<typeof judge>) =>
      answer.allowed ? undefined : answer.status?.message;
    expect(refused(judge({ expiresAt: iso(created + 4 * hour + 1000) }))).toContain("spec.expiresAt: ");
    expect(refused(judge({ expiresAt: iso(created) }))).toContain("has passed");
    expect(refused(judge({}, "UPDATE"))).toContain("delete this one to end it");
    expect(refused(judge({ reason: "x" }))).toContain("spec.reason");
  });

  it("refuses one more than replicas can tell of, for it would never be said to be open", () => {
    expect(judge({}, "CREATE", MAX_REPORTED_GLASSES - 1).allowed).toBe(true);
    const answer = judge({}, "CREATE", MAX_REPORTED_GLASSES);
    expect(answer.allowed ? "" : answer.status?.message).toMatch(
      /^spec: 32 ShieldBreakGlasses are open.*delete.*or name more policies in one: spec\.policies/,
    );
  });
});

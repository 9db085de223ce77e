import type { Gap, LetThrough } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import type { AuditOfGap } from "../audit/gap-audit.ts";
import { decideGaps, type GapsObservation } from "./decide.ts";
import { lapseOf } from "./lapse.ts";

const start = Date.parse("2026-12-01T10:00:00Z");
const minute = 60_000;
const hour = 60 * minute;
const iso = (ms: number): string => new Date(ms).toISOString().replace(".000Z", "Z");

const request = (over: Partial<LetThrough> = {}): LetThrough => ({
  glass: "uid",
  policy: "hosts",
  atMs: start + minute,
  operation: "CREATE",
  apiVersion: "v1",
  kind: "Pod",
  namespace: "shop",
  name: "web",
  uid: "pod",
  user: "ann",
  ...over,
});
const passed = (requests: LetThrough[] = [], ...processes: [string, number][]) => ({
  processes: processes.map(([process, many]) => ({ process, requests: many })),
  requests,
});
const glass = (status: object = {}) => ({
  metadata: { name: "inc", uid: "uid", creationTimestamp: iso(start) },
  spec: { policies: ["hosts"], reason: "INC-1: it has to be", expiresAt: iso(start + hour) },
  status,
});
const nothing: GapsObservation = {
  policy: "hosts",
  denies: true,
  previous: [],
  glasses: [],
  gone: new Map(),
  lapse: undefined,
  enforcedSinceMs: undefined,
  tampering: [],
  audit: () => "never",
};
const decide = (over: Partial<GapsObservation>, now: number) => decideGaps({ ...nothing, ...over }, now);
const opened = { openedBy: { user: "oncall" } };

describe("a gap that a ShieldBreakGlass makes", () => {
  it("begins with it, says who opened it, and lists what passed", () => {
    const letThrough = passed([request()], ["a", 2]);
    const { gaps, news } = decide({ glasses: [{ glass: glass(opened), letThrough }] }, start + 2 * minute);
    expect(gaps).toMatchObject([
      { id: "uid", cause: "BreakGlass", user: "oncall", from: iso(start), requests: 2, found: 1 },
    ]);
    expect(gaps[0]?.until).toBeUndefined();
    expect(gaps[0]?.objects).toMatchObject([{ name: "web", user: "ann", time: iso(start + minute) }]);
    expect(news).toMatchObject([
      { reason: "BreakGlassOpened", note: expect.stringContaining("opened by oncall") },
    ]);
  });

  it("is recorded whatever the reason is written in, also where that is cut", () => {
    const before = 'ShieldBreakGlass "inc": '.length;
    const spec = { ...glass().spec, reason: `${"x".repeat(511 - before)}😀${"y".repeat(20)}` };
    const { gaps } = decide(
      { glasses: [{ glass: { ...glass(opened), spec }, letThrough: passed() }] },
      start + minute,
    );
    expect(gaps[0]?.message).toHaveLength(512);
    expect(gaps[0]?.message.isWellFormed()).toBe(true);
  });

  it("is told of without a name when none comes within ten seconds, and not before", () => {
    const glasses = [{ glass: glass(), letThrough: passed() }];
    expect(decide({ glasses }, start + 1000)).toMatchObject({ news: [], nextMs: start + 10_000 });
    expect(decide({ glasses }, start + 10_000).news).toHaveLength(1);
  });

  it("is over at its time, and tells of it once", () => {
    const glasses = [{ glass: glass(opened), letThrough: passed([request()], ["a", 1]) }];
    const open = decide({ glasses }, start + minute).gaps;
    const over = decide({ glasses, previous: open }, start + hour);
    expect(over.gaps[0]?.until).toBe(iso(start + hour));
    expect(over.news).toMatchObject([
      {
        type: "Warning",
        reason: "GapEnded",
        note: expect.stringContaining("1 object that the policy denies was written"),
      },
    ]);
    expect(decide({ glasses, previous: over.gaps }, start + 2 * hour)).toMatchObject({
      gaps: over.gaps,
      news: [],
    });
  });

  it("is over when it is deleted, and keeps what was known", () => {
    const glasses = [{ glass: glass(opened), letThrough: passed([request()], ["a", 1]) }];
    const open = decide({ glasses }, start + minute).gaps;
    const { gaps } = decide({ previous: open }, start + 5 * minute);
    expect(gaps).toMatchObject([{ until: iso(start + 5 * minute), user: "oncall", requests: 1, found: 1 }]);
  });

  it("is recorded also when the operator saw nothing but what replicas let pass", () => {
    const gone = new Map([
      ["uid", passed([request(), request({ name: "db", uid: "db", atMs: start + 2 * minute })], ["a", 2])],
    ]);
    const { gaps, news } = decide({ gone }, start + hour);
    expect(gaps).toMatchObject([{ id: "uid", from: iso(start + minute), requests: 2, found: 2 }]);
    expect(news).toMatchObject([{ reason: "GapEnded" }]);
  });

  it("is recorded whatever a Lease tells of times and counts", () => {
    const far = request({ atMs: 8_640_000_000_000_000 });
    const many: [string, number][] = [
      ["a", Number.MAX_SAFE_INTEGER],
      ["b", Number.MAX_SAFE_INTEGER],
    ];
    const letThrough = passed([far], ...many);
    const known = decide({ glasses: [{ glass: glass(opened), letThrough }] }, start + minute).gaps;
    expect(known).toMatchObject([{ requests: Number.MAX_SAFE_INTEGER, user: "oncall" }]);
    expect(known[0]?.objects?.[0]?.time).toBe("9999-12-31T23:59:59Z");
    // Nor does it begin, or end, later than now, before which no other could be recorded any more.
    const unseen = decide({ gone: new Map([["other", letThrough]]) }, start + minute).gaps;
    expect(unseen).toMatchObject([{ from: iso(start + minute), until: iso(start + minute) }]);
  });

  it("keeps its name and opener whatever replicas still tell of those that were pushed out", () => {
    const names = ["a", "b", "c", "d", "e"];
    const of = (name: string, at: number) => ({
      glass: {
        ...glass(opened),
        metadata: { name, uid: name, creationTimestamp: iso(start + at * 5 * minute) },
      },
      // Late in its time, when the others are open as well.
      letThrough: passed([request({ glass: name, atMs: start + 25 * minute + at * 1000 })], ["p", 1]),
    });
    const glasses = names.map(of);
    let gaps: readonly Gap[] = [];
    for (let open = glasses.length; open >= 0; open--) {
      const gone = new Map(
        glasses
          .slice(0, glasses.length - open)
          .map(({ glass, letThrough }) => [glass.metadata.uid, letThrough]),
      );
      const there = glasses.slice(glasses.length - open);
      const now = start + 30 * minute + (glasses.length - open) * minute;
      for (let again = 0; again < 3; again++)
        gaps = decide({ previous: gaps, glasses: there, gone }, now).gaps;
    }
    expect(gaps.map(({ breakGlass, user }) => [breakGlass, user])).toEqual(
      ["e", "d", "c", "b"].map((name) => [name, "oncall"]),
    );
  });

  it("is not pushed out by shorter ones while it is open", () => {
    const glasses = [{ glass: glass(opened), letThrough: passed([request()], ["a", 1]) }];
    const previous = Array.from({ length: 6 }, (_, at): Gap => {
      const from = iso(start + (at + 1) * minute);
      return { id: `g${at}`, cause: "BreakGlass", message: "none", from, until: from };
    });
    const kept = decide({ glasses, previous }, start + 10 * minute).gaps.map(({ id }) => id);
    expect(kept).toEqual(["g5", "g4", "g3", "uid"]);
  });

  it("is recorded also when unseen, instead of what was over before it let anything pass", () => {
    const previous = Array.from({ length: 4 }, (_, at): Gap => {
      const from = iso(start + at * minute);
      return { id: `g${at}`, cause: "BreakGlass", message: "none", from, until: from };
    });
    const unseen = (atMs: number) => new Map([["unseen", passed([request({ atMs })], ["a", 1])]]);
    const kept = (atMs: number) =>
      decide({ previous, gone: unseen(atMs) }, start + hour).gaps.map(({ id }) => id);
    expect(kept(start + 30 * minute)).toEqual(["unseen", "g3", "g2", "g1"]);
    expect(kept(start)).toEqual(["g3", "g2", "g1", "g0"]);
  });

  it("counts the same when told twice, late, by another leader, and after a replica has restarted", () => {
    const first = decide(
      { glasses: [{ glass: glass(opened), letThrough: passed([request()], ["a", 3]) }] },
      start + minute,
    ).gaps;
    const letThrough = passed([request({ name: "db", uid: "db" })], ["a", 3], ["b", 2]);
    const second = decide(
      { previous: first, glasses: [{ glass: glass(opened), letThrough }] },
      start + minute,
    );
    expect(second.gaps[0]).toMatchObject({ requests: 5, found: 2 });
    const third = decide(
      { previous: second.gaps, glasses: [{ glass: glass(opened), letThrough: passed([], ["b", 1]) }] },
      start + minute,
    );
    expect(third.gaps[0]).toMatchObject({ requests: 5, found: 2 });
  });

  it("is none for a policy that refuses nothing anyway, nor for one that would last too long", () => {
    const long = glass();
    const glasses = [
      { glass: { ...long, spec: { ...long.spec, expiresAt: iso(start + 5 * hour) } }, letThrough: passed() },
    ];
    expect(decide({ glasses }, start + minute).gaps).toEqual([]);
    expect(
      decide({ denies: false, glasses: [{ glass: glass(), letThrough: passed() }] }, start).gaps,
    ).toEqual([]);
  });

  it("names twenty objects, the latest, and counts more; four gaps of it are kept, and four others", () => {
    const many = Array.from({ length: 50 }, (_, at) =>
      request({ name: `p${at}`, uid: `u${at}`, atMs: start + at * 1000 }),
    );
    const { gaps } = decide(
      { glasses: [{ glass: glass(opened), letThrough: passed(many, ["a", 50]) }] },
      start + minute,
    );
    expect(gaps[0]?.objects).toHaveLength(20);
    expect(gaps[0]?.objects?.[0]?.name).toBe("p49");
    expect(gaps[0]?.found).toBe(50);
    const previous = Array.from(
      { length: 24 },
      (_, at): Gap => ({
        id: `g${at}`,
        cause: at < 12 ? "BreakGlass" : "Tampering",
        message: "none",
        from: iso(start + at * minute),
        until: iso(start + at * minute),
      }),
    );
    const kept = decide({ previous }, start + hour).gaps.map(({ id }) => id);
    expect(kept).toEqual(["g23", "g22", "g21", "g20", "g11", "g10", "g9", "g8"]);
  });
});

describe("what the audit finds of a gap", () => {
  const over: Gap = {
    id: "x",
    cause: "NoReplica",
    message: "none",
    from: iso(start),
    until: iso(start + hour),
  };
  const audit: AuditOfGap = {
    found: 1,
    objects: [
      {
        apiVersion: "v1",
        kind: "Pod",
        namespace: "shop",
        name: "old",
        uid: "old",
        writtenMs: start + minute,
        manager: "kubectl-client-side-apply",
        isNew: true,
      },
    ],
    violating: new Set(["old"]),
  };

  it("is listed with when and by which client, and with who where the webhook knows", () => {
    const previous = [
      {
        ...over,
        objects: [
          {
            apiVersion: "v1",
            kind: "Pod",
            namespace: "shop",
            name: "web",
            uid: "pod",
            user: "ann",
            time: iso(start),
          },
        ],
      },
    ];
    const { gaps } = decide({ previous, audit: () => audit }, start + 2 * hour);
    expect(gaps[0]).toMatchObject({ found: 2, audited: true });
    expect(gaps[0]?.objects).toMatchObject([
      { name: "old", manager: "kubectl-client-side-apply", operation: "CREATE", violates: true },
      { name: "web", user: "ann", violates: false },
    ]);
  });

  it("waits for the audit, and for the end of the gap", () => {
    expect(
      decide({ previous: [over], audit: () => "later" }, start + 2 * hour).gaps[0]?.audited,
    ).toBeUndefined();
    const { until: _, ...open } = over;
    expect(decide({ previous: [open], audit: () => audit }, start).gaps[0]?.objects).toBeUndefined();
  });
});

describe("the end of a gap that the background audit does not look into", () => {
  const over = (cause: Gap["cause"], more: object = {}): Gap => ({
    id: "x",
    cause,
    message: "none",
    from: iso(start),
    until: iso(start + hour),
    ...more,
  });
  const newsOf = (gap: Gap) => decide({ previous: [gap], audit: () => "never" }, start + 2 * hour).news;

  it.each(["Tampering", "NoReplica", "NotEnforced"] as const)("is no all-clear: %s", (cause) => {
    const [news, ...more] = newsOf(over(cause));
    expect(more).toEqual([]);
    expect(news).toMatchObject({ type: "Warning", reason: "GapEnded" });
    expect(news?.note).toContain("nobody has looked at what was written while the policy was not enforced");
    expect(news?.note).toContain("actions.background");
    expect(news?.note).toContain("audit log");
    expect(news?.note).not.toContain("0 objects");
  });

  it("says what the webhook let pass, which was asked all the time", () => {
    expect(newsOf(over("BreakGlass", { found: 0 }))).toMatchObject([
      { type: "Normal", note: expect.stringContaining("0 objects") },
    ]);
    expect(newsOf(over("BreakGlass", { found: 2 }))).toMatchObject([
      { type: "Warning", note: expect.stringContaining("2 objects") },
    ]);
  });
});

describe("a gap that nobody asked for", () => {
  const enforced = (status: string, reason: string, over: object = {}, ofStatus: object = {}) =>
    lapseOf({
      spec: {
        engine: "podSecurity",
        podSecurity: { level: "baseline" },
        actions: { admission: "deny" },
        ...over,
      },
      status: {
        enforcedBy: "Webhook",
        conditions: [
          {
            type: "Compiled",
            status: "True",
            reason: "Compiled",
            message: "",
            lastTransitionTime: iso(start),
          },
          { type: "Enforced", status, reason, message: "why", lastTransitionTime: iso(start) },
        ],
        ...ofStatus,
      },
    } as unknown as Parameters<typeof lapseOf>[0]);
  const ignore = { failurePolicy: "Ignore" };

  it("is one where no replica lives and failurePolicy lets pass, from when the last may have gone", () => {
    expect(enforced("False", "NoReplica", ignore)).toMatchObject({
      cause: "NoReplica",
      fromMs: start - 45_000,
    });
    expect(enforced("False", "NoReplica")).toBeUndefined();
    expect(enforced("True", "Loaded", ignore)).toBeUndefined();
  });

  it("is one where the API server is not told to ask, whatever failurePolicy says, or has nothing to go by itself", () => {
    expect(enforced("False", "Publishing")).toMatchObject({ cause: "NotEnforced", fromMs: start });
    expect(enforced("False", "RefusedByServer", {}, { enforcedBy: "Native" })).toMatchObject({
      cause: "NotEnforced",
    });
  });

  it("is none of a policy that refuses nothing, is not understood, or goes in by stages", () => {
    expect(enforced("False", "NoReplica", { ...ignore, actions: { admission: "warn" } })).toBeUndefined();
    expect(enforced("False", "NotCompiled", ignore, { conditions: [] })).toBeUndefined();
    expect(enforced("False", "Publishing", {}, { rollout: { stage: "Canary" } })).toBeUndefined();
  });

  const lapse = { cause: "NoReplica", fromMs: start, message: "no webhook replica is alive" } as const;

  it("is recorded once it lasts five seconds, and is over when the policy is enforced again", () => {
    expect(decide({ lapse }, start + 4_000)).toMatchObject({ gaps: [], nextMs: start + 5_000 });
    const { gaps } = decide({ lapse }, start + 5_000);
    expect(gaps).toMatchObject([{ cause: "NoReplica", from: iso(start) }]);
    expect(decide({ lapse, previous: gaps }, start + hour).gaps).toEqual(gaps);
    const over = decide({ previous: gaps, enforcedSinceMs: start + minute }, start + hour);
    expect(over).toMatchObject({ gaps: [{ until: iso(start + minute) }], news: [{ reason: "GapEnded" }] });
  });

  it("is recorded of tampering, once", () => {
    const tampering = [
      {
        id: "tampering-x",
        fromMs: start,
        isUnseen: true,
        untilMs: start + minute,
        message: "it was deleted by somebody else",
      },
    ];
    const { gaps } = decide({ tampering }, start + hour);
    expect(gaps).toMatchObject([
      {
        cause: "Tampering",
        from: iso(start),
        until: iso(start + minute),
        message: expect.stringContaining("no operator was there"),
      },
    ]);
    expect(decide({ tampering, previous: gaps }, start + hour)).toMatchObject({ gaps, news: [] });
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AuditIndex } from "./audit-index.ts";
import type { AuditedObject } from "./audited-object.ts";
import { reportDigest, reportedKey, reportName, reportOf, SUMMARY_NAME, summaryOf } from "./report.ts";
import { assignPlaces } from "./report-places.ts";
import { idOf, planReports, WantedReports, type Written } from "./report-plan.ts";
import { DEFAULT_RESULT_LIMITS, reportResults } from "./report-results.ts";

const uidOf = (at: number): string => `00000000-0000-4000-8000-${String(at).padStart(12, "0")}`;
const object = (at: number, over: Partial<AuditedObject> = {}): AuditedObject => ({
  apiVersion: "v1",
  kind: "Pod",
  namespace: "ns",
  name: `pod-${at}`,
  uid: uidOf(at),
  controllerUid: undefined,
  ...over,
});
const finding = (policy: string, ...checks: string[]) => ({
  policy,
  result: "fail" as const,
  message: "m",
  violations: checks.map((checkId) => ({ checkId, detail: `${checkId} is set` })),
});
const judgement = (...findings: ReturnType<typeof finding>[]) => ({
  errors: 0,
  matched: findings.map(({ policy }) => policy),
  findings,
  exempted: [],
  exceptions: [],
});
const limits = DEFAULT_RESULT_LIMITS;

describe("the report of an object", () => {
  it("names it as scope and owner, counts what fails, and says what it leaves out by intent", () => {
    const found = reportResults([finding("p", "privileged", "hostPorts")]);
    expect(reportOf(object(1), found, limits)).toMatchObject({
      metadata: {
        name: `shieldx-${uidOf(1)}`,
        ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: "pod-1", uid: uidOf(1) }],
      },
      scope: { kind: "Pod", namespace: "ns", name: "pod-1", uid: uidOf(1) },
      configuration: { limits: { statusFilter: ["fail", "warn"] } },
      summary: { fail: 2, warn: 0 },
      results: [{ rule: "hostPorts" }, { rule: "privileged" }],
    });
  });

  it.each(["", "../../secrets/x", "A".repeat(300), "__proto__", "\u0000"])(
    "has a name that is one for an object whose uid is %j",
    (uid) => {
      const hostile = object(1, { uid, name: "../.." });
      expect(reportName(hostile)).toMatch(/^shieldx-[0-9a-f]{32}$/);
      const report = reportOf(hostile, reportResults([finding("p")]), limits);
      expect(report.metadata).not.toHaveProperty("ownerReferences");
      const { metadata, scope } = report;
      expect(reportedKey({ apiVersion: "", kind: "", metadata: { name: metadata.name }, scope })).toBe(
        uid === "" ? "v1 Pod ns/../.." : uid,
      );
    },
  );

  it("is known again by its name, and one that sums up is about no object", () => {
    const known = (name: string) => reportedKey({ apiVersion: "", kind: "", metadata: { name } });
    expect(known(reportName(object(7)))).toBe(uidOf(7));
    expect(known(SUMMARY_NAME)).toBeUndefined();
  });

  it("has a digest that does not depend on the order of fields, and does on what it says", () => {
    const report = reportOf(object(1), reportResults([finding("p", "x")]), limits);
    const turned = Object.fromEntries(Object.entries(report).reverse());
    expect(reportDigest(turned)).toBe(reportDigest(report));
    expect(reportDigest({ ...report, results: [] })).not.toBe(reportDigest(report));
  });
});

describe("the report that sums up a namespace", () => {
  it("counts everything in it exactly, by policy", () => {
    const index = new AuditIndex();
    index.set(object(1), judgement(finding("p", "x", "y"), finding("q", "x")));
    index.set(object(2), judgement(finding("p", "x")));
    const audit = index.namespaces.get("ns");
    if (audit === undefined) throw new Error("nothing offends");
    const report = summaryOf("ns", audit, (policy) => (policy === "q" ? "warn" : "fail"), 1, limits);
    expect(report).toMatchObject({
      metadata: { name: SUMMARY_NAME, namespace: "ns" },
      scope: { kind: "Namespace", name: "ns" },
      summary: { fail: 3, warn: 1 },
      results: [
        { policy: "(all)", properties: { objects: "2", withoutReport: "1" } },
        { policy: "p", result: "fail", properties: { objects: "2", findings: "3" } },
        { policy: "q", result: "warn", properties: { objects: "1", findings: "1" } },
      ],
    });
    expect(report.results[0]?.message).toContain("--audit-reports-per-namespace");
  });

  it("has policies of the cluster before tenants' policies", () => {
    const index = new AuditIndex();
    index.set(object(1), judgement(finding("ns/p", "x"), finding("z", "x")));
    const audit = index.namespaces.get("ns");
    if (audit === undefined) throw new Error("nothing offends");
    const { results } = summaryOf("ns", audit, () => "fail", 0, limits);
    expect(results.map(({ policy }) => policy)).toEqual(["(all)", "z", "ns/p"]);
  });

  it("has room for as many policies as there are", () => {
    const index = new AuditIndex();
    const names = Array.from({ length: 1_000 }, (_, at) => `policy-${at}-${"x".repeat(200)}`);
    index.set(object(1), judgement(...names.map((name) => finding(name, "x"))));
    const audit = index.namespaces.get("ns");
    if (audit === undefined) throw new Error("nothing offends");
    const { results, summary } = summaryOf("ns", audit, () => "fail", 0, limits);
    expect(summary.fail).toBe(1_000);
    expect(results.length).toBeLessThanOrEqual(limits.results);
    expect(Buffer.byteLength(JSON.stringify(results))).toBeLessThanOrEqual(limits.bytes);
    const told = results.reduce((sum, { properties }) => sum + Number(properties?.findings ?? 0), 0);
    expect(told).toBe(1_000);
  });
});

/** An API server that keeps what it is sent, but for fields it does not know. */
class Server {
  readonly reports = new Map<
    string,
    { namespace: string; name: string; digest: string; resourceVersion: string }
  >();
  readonly written = new Map<string, Written>();
  readonly #drops: boolean;
  requests = 0;

  constructor(drops: boolean) {
    this.#drops = drops;
  }

  /** Carries out at most so many requests; returns whether that was all. */
  sync(
    index: AuditIndex,
    wantedReports: WantedReports,
    places: ReturnType<typeof assignPlaces>,
    nowMs: number,
  ) {
    const wanted = wantedReports.of(index, places);
    const plan = planReports(wanted, [...this.reports.values()], this.written, nowMs);
    for (const report of plan.remove) {
      this.requests++;
      this.reports.delete(idOf(report));
      this.written.set(idOf(report), { digest: undefined, resourceVersion: undefined, atMs: nowMs });
    }
    for (const report of plan.write) {
      this.requests++;
      const made = report.make();
      if (made === undefined) throw new Error("nothing to write");
      const { configuration: _dropped, ...kept } = made;
      const resourceVersion = String(this.requests);
      const digest = reportDigest(this.#drops ? kept : made);
      const { namespace, name } = report;
      this.reports.set(idOf(report), { namespace, name, digest, resourceVersion });
      this.written.set(idOf(report), { digest: report.digest, resourceVersion, atMs: nowMs });
    }
    return plan;
  }
}

describe("reports", () => {
  it("are written on change only, and removed when the offence ends", () => {
    const index = new AuditIndex({ mostDetailed: 9 });
    const wanted = new WantedReports(limits);
    const server = new Server(false);
    const sync = (nowMs: number) => {
      wanted.namespacesChanged(index.takeChanges().namespaces);
      const places = assignPlaces(index, [], new Set(), { reports: 9, perNamespace: 9 });
      const { write, remove } = server.sync(index, wanted, places, nowMs);
      return [write.length, remove.length];
    };
    for (const at of [1, 2]) index.set(object(at), judgement(finding("p", "x")));
    expect(sync(0)).toEqual([2, 0]);
    expect(sync(1)).toEqual([0, 0]);
    index.set(object(1), judgement(finding("p", "y")));
    index.delete(uidOf(2));
    expect(sync(10_000)).toEqual([1, 1]);
    expect(sync(20_000)).toEqual([0, 0]);
  });

  it("that somebody changed or deleted are put back", () => {
    const index = new AuditIndex({ mostDetailed: 9 });
    index.set(object(1), judgement(finding("p", "x")));
    const places = assignPlaces(index, [], new Set(), { reports: 9, perNamespace: 9 });
    const server = new Server(false);
    const wanted = new WantedReports(limits);
    server.sync(index, wanted, places, 0);
    for (const [id, report] of server.reports)
      server.reports.set(id, { ...report, digest: "other", resourceVersion: "77" });
    const early = server.sync(index, wanted, places, 1_000);
    expect([early.write.length, early.isOpen]).toEqual([0, true]);
    expect(server.sync(index, wanted, places, 10_000).write).toHaveLength(1);
    server.reports.clear();
    expect(server.sync(index, wanted, places, 20_000).write).toHaveLength(1);
  });

  it("reach a state that needs no more writes, never more than the cap, whatever was there and whatever the server drops", () => {
    const offenders = fc.uniqueArray(fc.integer({ min: 0, max: 50 }), { maxLength: 30 });
    fc.assert(
      fc.property(
        offenders,
        offenders,
        fc.integer({ min: 0, max: 10 }),
        fc.boolean(),
        (now, before, cap, drops) => {
          const server = new Server(drops);
          for (const at of before) {
            const name = reportName(object(at));
            server.reports.set(`ns/${name}`, {
              namespace: "ns",
              name,
              digest: "stale",
              resourceVersion: "1",
            });
          }
          const index = new AuditIndex({ mostDetailed: 100 });
          for (const at of now) index.set(object(at), judgement(finding("p", "x")));
          const places = assignPlaces(index, before.map(uidOf), new Set(), {
            reports: cap,
            perNamespace: 100,
          });
          const wanted = new WantedReports(limits);
          server.sync(index, wanted, places, 0);
          const isSummed = now.length > cap && cap > 0;
          expect(server.reports.size).toBe(Math.min(cap, now.length) + Number(isSummed));
          expect(server.requests).toBeLessThanOrEqual(before.length + cap + 1);
          const { requests } = server;
          for (const nowMs of [1_000, 100_000]) server.sync(index, wanted, places, nowMs);
          expect(server.requests).toBe(requests);
        },
      ),
    );
  });
});

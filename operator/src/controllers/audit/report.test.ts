import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AuditedObject, AuditFinding } from "./audit-index.ts";
import { planReports, reportContent, reportName, reportOf } from "./report.ts";

const offender = (uid: string, ...checks: string[]): { object: AuditedObject; findings: AuditFinding[] } => ({
  object: {
    apiVersion: "v1",
    kind: "Pod",
    namespace: "ns",
    name: `pod-${uid}`,
    uid,
    controllerUid: undefined,
  },
  findings: [
    {
      policy: "p",
      message: "m",
      violations: checks.map((checkId) => ({ checkId, detail: `${checkId} is set` })),
    },
  ],
});
const asExisting = (report: ReturnType<typeof reportOf>) => ({
  namespace: report.metadata.namespace,
  name: report.metadata.name,
  content: reportContent(report),
});

describe("reports", () => {
  it("name their object as scope and owner, and count what fails", () => {
    const { object, findings } = offender("u1", "privileged", "hostPorts");
    const report = reportOf(object, findings);
    expect(report.metadata.ownerReferences).toEqual([
      { apiVersion: "v1", kind: "Pod", name: "pod-u1", uid: "u1" },
    ]);
    expect(report.summary.fail).toBe(2);
    expect(report.results.map((result) => result.rule)).toEqual(["hostPorts", "privileged"]);
  });

  it("are bounded", () => {
    const { object } = offender("u1");
    const violations = Array.from({ length: 300 }, (_, index) => ({
      checkId: `c${index}`,
      detail: "x".repeat(5000),
    }));
    const report = reportOf(object, [{ policy: "p", message: "m", violations }]);
    expect(report.results).toHaveLength(100);
    expect(report.results[0]?.message.length).toBeLessThanOrEqual(1024);
    expect(report.summary.fail).toBe(300);
  });

  it("are written on change only, and removed when the offence ends", () => {
    const [a, b] = [offender("a", "privileged"), offender("b", "hostPorts")];
    const existing = [a, b].map((item) => asExisting(reportOf(item.object, item.findings)));
    expect(planReports([a, b], existing)).toEqual({ write: [], remove: [], withoutReport: 0 });
    const changed = planReports([offender("a", "procMount")], existing);
    expect(changed.write.map((report) => report.metadata.name)).toEqual([reportName("a")]);
    expect(changed.remove).toEqual([{ namespace: "ns", name: reportName("b") }]);
  });

  it("reach a state that needs no more writes, never more than the cap, whatever was there", () => {
    const uids = fc.uniqueArray(fc.integer({ min: 0, max: 50 }).map(String), { maxLength: 30 });
    fc.assert(
      fc.property(uids, uids, fc.integer({ min: 0, max: 10 }), (now, before, cap) => {
        const limits = { reports: cap, results: 100 };
        const offenders = now.map((uid) => offender(uid, "privileged"));
        const stale = before.map((uid) => asExisting(reportOf(offender(uid, "sysctls").object, [])));
        const plan = planReports(offenders, stale, limits);
        const after = new Map(stale.map((report) => [report.name, report]));
        for (const { name } of plan.remove) after.delete(name);
        for (const report of plan.write) after.set(report.metadata.name, asExisting(report));
        expect(after.size).toBe(Math.min(cap, offenders.length));
        const again = planReports(offenders, [...after.values()], limits);
        expect([again.write, again.remove]).toEqual([[], []]);
        expect(plan.withoutReport).toBe(Math.max(0, offenders.length - cap));
      }),
    );
  });
});

import { describe, expect, it } from "vitest";
import {
  admissionRequest,
  deploymentOf,
  newYear,
  offender,
  podObject,
  podSecurityPolicy,
  shieldException,
} from "../../testing/objects.ts";
import { buildPolicySet } from "./build.ts";

const context = { namespaceLabels: {}, now: newYear };

describe("background audit of existing objects", () => {
  const quiet = podSecurityPolicy("quiet", { actions: { admission: "deny", background: "off" } });
  const set = buildPolicySet({ policies: [podSecurityPolicy("p"), quiet], exceptions: [], serverMinor: 37 });

  it("finds what admission would refuse, as an audit", () => {
    const { findings, matched } = set.judge(offender(), context);
    expect(matched).toEqual(["p"]);
    expect(findings).toMatchObject([
      { policy: "p", action: "audit", code: "PolicyViolation", violations: [{}, {}] },
    ]);
    expect(findings[0]?.message).toContain(
      'ShieldPolicy "p" (baseline:latest) takes note of Pod "team-a/bad"',
    );
    expect(set.judge(podObject("good"), context)).toEqual({
      findings: [],
      exempted: [],
      matched: ["p"],
      asks: [],
    });
    expect(set.judge(deploymentOf(offender()), context).findings[0]?.message).toContain("(spec.template)");
  });

  it("also holds policies that only look at updates, and that only warn or are off at admission", () => {
    const rule = {
      apiGroups: [""],
      apiVersions: ["v1"],
      operations: ["UPDATE" as const],
      resources: ["pods"],
      scope: "*" as const,
    };
    const policies = [
      podSecurityPolicy("u", { matchConstraints: { matchPolicy: "Equivalent", resourceRules: [rule] } }),
      podSecurityPolicy("o", { actions: { admission: "off" } }),
    ];
    const { matched, findings } = buildPolicySet({ policies, exceptions: [], serverMinor: 37 }).judge(
      offender(),
      context,
    );
    expect(matched).toEqual(["o", "u"]);
    expect(findings).toHaveLength(2);
  });

  it("honours exceptions and exemptions", () => {
    const open = podSecurityPolicy("p", {
      exceptions: { namespaces: { names: ["team-a"] }, maxDuration: "720h" },
    });
    const excepting = buildPolicySet({
      policies: [open],
      exceptions: [shieldException("e")],
      serverMinor: 37,
    });
    expect(excepting.judge(offender(), context)).toMatchObject({
      findings: [],
      exempted: [{ exception: "team-a/e" }],
    });
  });

  it("leaves alone what is being deleted, what is ours and what is no workload", () => {
    const nothing = { findings: [], exempted: [], matched: [], asks: [] };
    expect(set.judge(offender("bad", { deletionTimestamp: "2026-01-01T00:00:00Z" }), context)).toEqual(
      nothing,
    );
    expect(set.judge(offender("bad", { namespace: "kube-system" }), context)).toEqual(nothing);
    for (const object of [null, "x", [], {}, { apiVersion: "v1", kind: "ConfigMap" }]) {
      expect(set.judge(object, context)).toEqual(nothing);
    }
  });

  it("agrees with admission", () => {
    for (const object of [offender(), podObject("good"), deploymentOf(offender())]) {
      const admitted = set
        .evaluate(admissionRequest(object), context)
        .denials.filter(({ policy }) => policy === "p");
      expect(set.judge(object, context).findings.map(({ violations }) => violations)).toEqual(
        admitted.map(({ violations }) => violations),
      );
    }
  });
});

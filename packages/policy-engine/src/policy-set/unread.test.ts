import type { ShieldPolicy } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { admissionRequest, celPolicy, podObject, podSecurityPolicy } from "../../testing/objects.ts";
import { buildPolicySet } from "./build.ts";
import type { AdmissionRequestLike } from "./request.ts";

function setOf(...policies: ShieldPolicy[]) {
  const set = buildPolicySet({ policies, exceptions: [], serverMinor: 37, neverJudged: ["shieldx-system"] });
  expect(set.problems).toEqual([]);
  return set;
}
const inWebhook = (name: string, spec: Partial<ShieldPolicy["spec"]> = {}) =>
  celPolicy(name, { evaluation: "Webhook", ...spec });
const everything: NonNullable<ShieldPolicy["spec"]["matchConstraints"]> = {
  matchPolicy: "Equivalent",
  resourceRules: [
    {
      apiGroups: ["", "coordination.k8s.io"],
      apiVersions: ["v1"],
      operations: ["*"],
      resources: ["pods", "namespaces", "leases"],
    },
  ],
};
const why = { code: "TooLarge", problem: "the request is 99 bytes, make it smaller" } as const;
const { object: _, ...head } = admissionRequest(podObject("a"));
const ask = (policies: ShieldPolicy[], more: Partial<AdmissionRequestLike> = {}, labels: object = {}) =>
  setOf(...policies).evaluateUnread(
    { ...head, ...more },
    { namespaceLabels: labels as Record<string, string>, failurePolicy: "Ignore" },
    why,
  );
const lenient = (name: string, spec: Partial<ShieldPolicy["spec"]> = {}) =>
  inWebhook(name, { failurePolicy: "Ignore", matchConstraints: everything, ...spec });

describe("a request whose objects were not read", () => {
  it("is refused for each policy that denies and may be about it, whatever its failurePolicy", () => {
    const verdict = ask([lenient("a"), inWebhook("fails", { matchConstraints: everything })]);
    expect(verdict).toMatchObject({ allowed: false, matched: ["a"] });
    expect(verdict.denials).toMatchObject([
      {
        policy: "a",
        code: "TooLarge",
        message: `ShieldPolicy "a" could not be evaluated for Pod "team-a/a": ${why.problem}`,
      },
    ]);
  });

  it("is told of, and passes, where policies only warn or audit", () => {
    const [warns, audits, off] = (["warn", "audit", "off"] as const).map((admission) =>
      lenient(admission, { actions: { admission } }),
    );
    const verdict = ask([warns, audits, off] as ShieldPolicy[]);
    expect(verdict.allowed).toBe(true);
    expect(verdict.warnings).toMatchObject([{ policy: "warn" }]);
    expect(verdict.audits).toMatchObject([{ policy: "audit" }]);
  });

  const selecting = (field: "namespaceSelector" | "objectSelector") =>
    lenient("s", { matchConstraints: { ...everything, [field]: { matchLabels: { team: "blue" } } } });

  it("may be about whatever hangs on the object: its labels, conditions", () => {
    const conditions = lenient("c", { matchConditions: [{ name: "never", expression: "false" }] });
    expect(ask([conditions]).allowed).toBe(false);
    expect(ask([selecting("objectSelector")]).allowed).toBe(false);
    const namespaces = { group: "", version: "v1", resource: "namespaces" };
    expect(ask([selecting("namespaceSelector")], { resource: namespaces }).allowed).toBe(false);
    const ignoring = podSecurityPolicy("pods", { failurePolicy: "Ignore" });
    expect(ask([ignoring], { operation: "UPDATE" }).allowed).toBe(false);
  });

  it("is not about what its resource, operation, or known namespace rule out", () => {
    expect(ask([selecting("namespaceSelector")]).allowed).toBe(true);
    expect(ask([selecting("namespaceSelector")], {}, { team: "blue" }).allowed).toBe(false);
    const unknown = setOf(selecting("namespaceSelector")).evaluateUnread(
      head,
      { namespaceLabels: undefined, failurePolicy: "Ignore" },
      why,
    );
    expect(unknown.allowed).toBe(false);
    expect(ask([inWebhook("configmaps", { failurePolicy: "Ignore" })]).allowed).toBe(true);
  });

  it("never traps what must work whatever a policy says", () => {
    const all = [lenient("all")];
    for (const namespace of ["kube-system", "kube-node-lease", "shieldx-system"])
      expect(ask(all, { namespace }).allowed).toBe(true);
    const leases = { group: "coordination.k8s.io", version: "v1", resource: "leases" };
    expect(ask(all, { resource: leases }).allowed).toBe(true);
    const username = "system:serviceaccount:kube-system:namespace-controller";
    expect(ask(all, { operation: "DELETE", userInfo: { username } }).allowed).toBe(true);
    expect(ask(all, { operation: "DELETE" }).allowed).toBe(false);
  });

  it("is refused, too, where a policy would change it", () => {
    const mutations = [
      {
        patchType: "ApplyConfiguration" as const,
        applyConfiguration: { expression: "Object{metadata: Object.metadata{labels: {'a': 'b'}}}" },
      },
    ];
    const { validations: __, ...spec } = lenient("m").spec;
    const set = setOf({ ...lenient("m"), spec: { ...spec, mutations } } as ShieldPolicy);
    const asked = (failurePolicy: "Fail" | "Ignore", operation = "CREATE") =>
      set.mutateUnread({ ...head, operation }, { failurePolicy, namespaceLabels: {} }, why).allowed;
    expect([asked("Ignore"), asked("Fail"), asked("Ignore", "DELETE")]).toEqual([false, true, true]);
  });
});

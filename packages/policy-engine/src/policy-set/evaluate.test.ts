import { describe, expect, it } from "vitest";
import {
  admissionRequest,
  celPolicy,
  deploymentOf,
  newYear,
  offender,
  podObject,
  podSecurityPolicy,
  shieldException,
} from "../../testing/objects.ts";
import { buildPolicySet, type PolicySetInput } from "./build.ts";
import type { EvaluationContext } from "./policy-set.ts";
import type { AdmissionRequestLike } from "./request.ts";

const setOf = (input: Partial<PolicySetInput>) =>
  buildPolicySet({ policies: [], exceptions: [], serverMinor: 37, ...input });
const context: EvaluationContext = { namespaceLabels: {}, now: newYear, deadlineMs: 1000 };
const decide = (
  input: Partial<PolicySetInput>,
  request: AdmissionRequestLike,
  more: Partial<EvaluationContext> = {},
) => setOf(input).evaluate(request, { ...context, ...more });

const p = podSecurityPolicy("p");

describe("a policy that denies", () => {
  it("refuses an offending Pod in one line that says who, what and why", () => {
    const verdict = decide({ policies: [p] }, admissionRequest(offender()));
    expect(verdict.allowed).toBe(false);
    expect(verdict.matched).toEqual(["p"]);
    expect(verdict.denials).toMatchObject([{ policy: "p", action: "deny", code: "PolicyViolation" }]);
    expect(verdict.denials[0]?.message).toBe(
      'ShieldPolicy "p" (baseline:latest) refuses Pod "team-a/bad": hostNamespaces (hostNetwork=true); ' +
        'privileged (container "a" must not set securityContext.privileged=true). See: kubectl explain shieldpolicy',
    );
  });

  it("admits a Pod that keeps it", () => {
    const verdict = decide({ policies: [p] }, admissionRequest(podObject("good")));
    expect(verdict).toMatchObject({ allowed: true, denials: [], warnings: [], audits: [], matched: ["p"] });
  });

  it("judges a workload by its template and names the place", () => {
    const verdict = decide({ policies: [p] }, admissionRequest(deploymentOf(offender())));
    expect(verdict.denials[0]?.message).toContain(
      'refuses Deployment "team-a/web" (spec.template): hostNamespaces',
    );
  });

  it("judges ephemeral containers when they are added", () => {
    const before = podObject("p");
    const after = podObject("p", {
      ephemeralContainers: [{ name: "debug", securityContext: { privileged: true } }],
    });
    const request = admissionRequest(after, {
      operation: "UPDATE",
      subResource: "ephemeralcontainers",
      oldObject: before,
    });
    expect(decide({ policies: [p] }, request).denials[0]?.message).toContain('container "debug"');
    expect(decide({ policies: [p] }, { ...request, subResource: "status" }).matched).toEqual([]);
  });

  it("shows a generated name as its beginning", () => {
    const pod = offender("", { name: undefined, generateName: "web-" });
    expect(decide({ policies: [p] }, admissionRequest(pod, { name: "" })).denials[0]?.message).toContain(
      '"team-a/web-*"',
    );
  });

  it("judges by the server's version when it says latest", () => {
    const probing = podObject("x", {
      containers: [{ name: "a", livenessProbe: { tcpSocket: { host: "h", port: 1 } } }],
    });
    expect(decide({ policies: [p], serverMinor: 33 }, admissionRequest(probing)).allowed).toBe(true);
    expect(decide({ policies: [p], serverMinor: 34 }, admissionRequest(probing)).allowed).toBe(false);
  });
});

describe("objects that exist are never trapped", () => {
  it("lets an offender's labels and finalizers be edited", () => {
    const request = admissionRequest(offender("bad", { labels: { a: "b" }, finalizers: [] }), {
      operation: "UPDATE",
      oldObject: offender("bad", { finalizers: ["x/y"] }),
    });
    expect(decide({ policies: [p] }, request).allowed).toBe(true);
  });

  it("refuses an update that changes what is judged and still offends", () => {
    const change = { operation: "UPDATE", oldObject: podObject("bad") };
    expect(decide({ policies: [p] }, admissionRequest(offender(), change)).allowed).toBe(false);
  });

  it("lets an object that is being deleted change in any way", () => {
    const deleting = podObject("bad", {}, { deletionTimestamp: "2026-01-01T00:00:00Z" });
    const change = { operation: "UPDATE", oldObject: deleting };
    expect(decide({ policies: [p] }, admissionRequest(offender(), change)).allowed).toBe(true);
  });

  it("does not believe a new object that says it is being deleted", () => {
    const pod = offender("bad", { deletionTimestamp: "2026-01-01T00:00:00Z" });
    expect(decide({ policies: [p] }, admissionRequest(pod)).allowed).toBe(false);
  });

  it.each(["DELETE", "CONNECT"])("does not look at %s", (operation) => {
    expect(decide({ policies: [p] }, admissionRequest(offender(), { operation })).matched).toEqual([]);
  });
});

describe("actions", () => {
  it.each([
    ["warn", { allowed: true, denials: [], audits: [], warnings: [{ action: "warn" }] }],
    ["audit", { allowed: true, denials: [], warnings: [], audits: [{ action: "audit" }] }],
    ["off", { allowed: true, matched: [] }],
  ] as const)("%s does what it says", (admission, expected) => {
    const policy = podSecurityPolicy("p", { actions: { admission } });
    expect(decide({ policies: [policy] }, admissionRequest(offender()))).toMatchObject(expected);
  });

  it("are taken by each policy for itself, in the order of their names", () => {
    const warning = podSecurityPolicy("a", {
      actions: { admission: "warn" },
      podSecurity: { level: "restricted", version: "v1.20" },
    });
    const verdict = decide({ policies: [p, warning, celPolicy("c")] }, admissionRequest(offender()));
    expect(verdict.matched).toEqual(["a", "p"]);
    expect(verdict.warnings[0]?.message).toContain('ShieldPolicy "a" (restricted:v1.20) warns about Pod');
    expect(verdict.denials).toHaveLength(1);
  });
});

describe("what a policy is about", () => {
  const about = (matchConstraints: object, request = admissionRequest(offender()), more = {}) => {
    const policy = podSecurityPolicy("p", {
      matchConstraints: { matchPolicy: "Equivalent", ...matchConstraints },
    });
    return decide({ policies: [policy] }, request, more).matched.length === 1;
  };
  const rule = {
    apiGroups: [""],
    apiVersions: ["v1"],
    operations: ["CREATE"],
    resources: ["pods"],
    scope: "*",
  };

  it("is named by resource, version, operation and name", () => {
    expect(about({ resourceRules: [rule] })).toBe(true);
    expect(about({ resourceRules: [rule] }, admissionRequest(deploymentOf(offender())))).toBe(false);
    expect(about({ resourceRules: [{ ...rule, apiVersions: ["v2"] }] })).toBe(false);
    expect(about({ resourceRules: [{ ...rule, operations: ["UPDATE"] }] })).toBe(false);
    expect(about({ resourceRules: [{ ...rule, resourceNames: ["bad"] }] })).toBe(true);
    expect(about({ resourceRules: [{ ...rule, resourceNames: ["other"] }] })).toBe(false);
    expect(about({ resourceRules: [{ ...rule, apiGroups: ["*"] }] })).toBe(true);
    expect(about({ resourceRules: [{ ...rule, scope: "Cluster" }] })).toBe(false);
    expect(about({ excludeResourceRules: [rule] })).toBe(false);
  });

  it("is chosen by the namespace's labels", () => {
    const namespaceSelector = { matchLabels: { team: "payments" } };
    expect(about({ namespaceSelector }, undefined, { namespaceLabels: { team: "payments" } })).toBe(true);
    expect(about({ namespaceSelector }, undefined, { namespaceLabels: {} })).toBe(false);
    const byName = {
      matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "In", values: ["team-a"] }],
    };
    expect(about({ namespaceSelector: byName }, undefined, { namespaceLabels: undefined })).toBe(true);
  });

  it("is chosen by the labels of the object as it was or as it will be", () => {
    const objectSelector = { matchLabels: { judge: "me" } };
    const labelled = offender("bad", { labels: { judge: "me" } });
    expect(about({ objectSelector }, admissionRequest(labelled))).toBe(true);
    expect(about({ objectSelector }, admissionRequest(offender()))).toBe(false);
    const relabelled = { operation: "UPDATE", oldObject: podObject("bad", {}, { labels: { judge: "me" } }) };
    expect(about({ objectSelector }, admissionRequest(offender(), relabelled))).toBe(true);
  });

  it("is asked for exactly, where the policy says so", () => {
    const exact = { matchPolicy: "Exact", resourceRules: [rule] };
    const requestResource = { group: "", version: "v1beta9", resource: "pods" };
    expect(about(exact)).toBe(true);
    expect(about(exact, admissionRequest(offender(), { requestResource }))).toBe(false);
    expect(about({ resourceRules: [rule] }, admissionRequest(offender(), { requestResource }))).toBe(true);
  });

  it.each(["kube-system", "kube-node-lease", "elsewhere"])("is never namespace %s", (namespace) => {
    const request = admissionRequest(offender("bad", { namespace }), { namespace });
    expect(decide({ policies: [p], neverJudged: ["elsewhere"] }, request).matched).toEqual([]);
  });

  it.each(["shieldx-system", "shieldx-agents"])(
    "is namespace %s where nobody says that it is ours",
    (namespace) => {
      const request = admissionRequest(offender("bad", { namespace }), { namespace });
      expect(decide({ policies: [p], neverJudged: ["elsewhere"] }, request).matched).toEqual(["p"]);
    },
  );

  it("is limited to the webhook it was called through", () => {
    const lenient = podSecurityPolicy("l", { failurePolicy: "Ignore" });
    const matched = (failurePolicy: "Fail" | "Ignore") =>
      decide({ policies: [p, lenient] }, admissionRequest(offender()), { failurePolicy }).matched;
    expect(matched("Fail")).toEqual(["p"]);
    expect(matched("Ignore")).toEqual(["l"]);
  });
});

describe("exemptions", () => {
  const exempting = podSecurityPolicy("p", {
    podSecurity: {
      level: "baseline",
      version: "latest",
      exemptions: { usernames: ["robot"], runtimeClassNames: ["gvisor"], namespaces: ["sandbox"] },
    },
  });
  it.each([
    ["user", admissionRequest(offender(), { userInfo: { username: "robot" } })],
    ["namespace", admissionRequest(offender(), { namespace: "sandbox" })],
    [
      "runtimeClass",
      admissionRequest({
        ...offender(),
        spec: { ...(offender().spec as object), runtimeClassName: "gvisor" },
      }),
    ],
  ])("by %s leave a request unjudged and say so", (ground, request) => {
    const verdict = decide({ policies: [exempting] }, request);
    expect(verdict).toMatchObject({ allowed: true, exempted: [{ policy: "p", ground, violations: [] }] });
  });

  it("hold for nobody else", () => {
    expect(decide({ policies: [exempting] }, admissionRequest(offender())).allowed).toBe(false);
  });
});

describe("exceptions", () => {
  const open = podSecurityPolicy("p", {
    exceptions: { namespaces: { names: ["team-a"] }, maxDuration: "720h" },
  });
  const withException = (...args: Parameters<typeof shieldException>) => ({
    policies: [open],
    exceptions: [shieldException(...args)],
  });

  it("set a refusal aside until they expire, and are told", () => {
    const input = withException("e");
    expect(decide(input, admissionRequest(offender()))).toMatchObject({
      allowed: true,
      exempted: [{ policy: "p", ground: "exception", exception: "team-a/e", violations: [{}, {}] }],
    });
    const expiry = Date.parse("2026-01-10T00:00:00Z");
    expect(decide(input, admissionRequest(offender()), { now: expiry - 1 }).allowed).toBe(true);
    expect(decide(input, admissionRequest(offender()), { now: expiry }).allowed).toBe(false);
  });

  it("can be limited to some checks", () => {
    const verdict = decide(withException("e", { checks: ["privileged"] }), admissionRequest(offender()));
    expect(verdict.denials[0]?.violations.map(({ checkId }) => checkId)).toEqual(["hostNamespaces"]);
    expect(verdict.exempted[0]?.violations.map(({ checkId }) => checkId)).toEqual(["privileged"]);
  });

  it("add up", () => {
    const exceptions = [
      shieldException("a", { checks: ["privileged"] }),
      shieldException("b", { checks: ["hostNamespaces"] }),
    ];
    expect(decide({ policies: [open], exceptions }, admissionRequest(offender())).allowed).toBe(true);
  });

  it.each([
    ["names something else", { match: { names: ["worse*"] } }, {}],
    ["is for another kind", { match: { kinds: ["Deployment"] } }, {}],
    ["is for other labels", { match: { objectSelector: { matchLabels: { a: "b" } } } }, {}],
    ["names another policy", { policies: ["q"] }, {}],
    ["is for everything", { match: {} }, {}],
    ["is in another namespace", {}, { namespace: "team-b" }],
    [
      "lasts longer than allowed",
      { expiresAt: "2026-06-01T00:00:00Z" },
      { creationTimestamp: "2026-01-01T00:00:00Z" },
    ],
    ["has an unreadable end", { expiresAt: "soon" }, {}],
    ["is being deleted", {}, { deletionTimestamp: "2026-01-01T00:00:00Z" }],
  ])("do not count when one %s", (_, spec, metadata) => {
    expect(decide(withException("e", spec, metadata), admissionRequest(offender())).allowed).toBe(false);
  });

  it("do not count where the policy does not list the namespace", () => {
    expect(
      decide({ policies: [p], exceptions: [shieldException("e")] }, admissionRequest(offender())).allowed,
    ).toBe(false);
  });

  it("count in namespaces the policy chooses by label, once those are known", () => {
    const byLabel = podSecurityPolicy("p", {
      exceptions: { namespaces: { selector: { matchLabels: { lax: "yes" } } }, maxDuration: "720h" },
    });
    const input = { policies: [byLabel], exceptions: [shieldException("e")] };
    expect(decide(input, admissionRequest(offender()), { namespaceLabels: { lax: "yes" } }).allowed).toBe(
      true,
    );
    expect(decide(input, admissionRequest(offender()), { namespaceLabels: {} }).allowed).toBe(false);
    expect(decide(input, admissionRequest(offender()), { namespaceLabels: undefined }).allowed).toBe(false);
  });

  it("never cover an object that cannot be judged", () => {
    const misshapen = { ...offender(), spec: { containers: "x" } };
    expect(decide(withException("e"), admissionRequest(misshapen)).denials[0]?.code).toBe("MalformedObject");
  });
});

describe("trouble", () => {
  it.each([
    ["a string", "x"],
    ["null", null],
    ["a Pod without a spec", { apiVersion: "v1", kind: "Pod", metadata: {} }],
    ["a kind that is not the resource's", { apiVersion: "v1", kind: "ConfigMap", metadata: {} }],
  ])("refuses %s in the place of a Pod, with a reason", (_, object) => {
    const request = { ...admissionRequest(offender()), object };
    const verdict = decide({ policies: [p] }, request);
    expect(verdict.denials).toMatchObject([
      { code: "MalformedObject", violations: [{ checkId: "malformed" }] },
    ]);
  });

  it.each([
    ["Fail", { allowed: false, denials: [{ code: "DeadlineExceeded" }] }],
    ["Ignore", { allowed: true, denials: [], audits: [{ code: "DeadlineExceeded" }] }],
  ] as const)("follows failurePolicy %s when time runs out", (failurePolicy, expected) => {
    const policy = podSecurityPolicy("p", { failurePolicy });
    let time = 0;
    const late = { deadlineMs: 5, monotonicNow: () => (time += 4) };
    expect(decide({ policies: [policy] }, admissionRequest(offender()), late)).toMatchObject(expected);
  });

  it.each([
    ["Fail", { allowed: false, denials: [{ code: "NamespaceUnknown" }] }],
    ["Ignore", { allowed: true, audits: [{ code: "NamespaceUnknown" }] }],
  ] as const)(
    "follows failurePolicy %s when the namespace is unknown and matters",
    (failurePolicy, expected) => {
      const matchConstraints = {
        matchPolicy: "Equivalent" as const,
        namespaceSelector: { matchLabels: { a: "b" } },
      };
      const policy = podSecurityPolicy("p", { failurePolicy, matchConstraints });
      const verdict = decide({ policies: [policy] }, admissionRequest(offender()), {
        namespaceLabels: undefined,
      });
      expect(verdict).toMatchObject(expected);
    },
  );

  it("keeps a message to one line of bounded length", () => {
    const containers = Array.from({ length: 5_000 }, (_, i) => ({
      name: `a\n${i}`,
      securityContext: { privileged: true },
    }));
    const message = decide({ policies: [p] }, admissionRequest(podObject("bad\u001b[31m", { containers })))
      .denials[0]?.message;
    expect(message?.length).toBeLessThanOrEqual(4096);
    expect(message).not.toMatch(/\p{Cc}/u);
    expect(message).toMatch(/….*See: kubectl explain shieldpolicy$/);
  });
});

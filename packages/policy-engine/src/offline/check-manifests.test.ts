import { describe, expect, it } from "vitest";
import {
  celPolicy,
  deploymentOf,
  newYear,
  offender,
  podObject,
  podSecurityPolicy,
  shieldException,
} from "../../testing/objects.ts";
import { checkManifests, type OfflineCheck } from "./check-manifests.ts";

const check = (more: Partial<OfflineCheck>) =>
  checkManifests({ objects: [], policies: [podSecurityPolicy("p")], serverMinor: 37, now: newYear, ...more });
const at = (object: unknown, line = 1) => ({ object, file: "all.yaml", document: 1, line });

const configMap = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c", namespace: "team-a" } };

describe("checkManifests", () => {
  it("says what the cluster would refuse, and where it stands", () => {
    const report = check({ objects: [at(podObject("good")), at(deploymentOf(offender()), 12)] });
    expect(report).toMatchObject({ checked: 2, skipped: [], problems: [] });
    expect(report.findings).toMatchObject([
      { policy: "p", action: "deny", manifest: { file: "all.yaml", line: 12 } },
    ]);
  });

  it("skips what no policy judges, with the reason", () => {
    const objects = [
      at({ apiVersion: "v1", kind: "Service" }),
      at("text"),
      at(offender("bad", { namespace: "kube-system" })),
    ];
    const { skipped, checked } = check({ objects });
    expect(checked).toBe(0);
    expect(skipped.map(({ reason }) => reason)).toEqual([
      "NoPolicyApplies",
      "NotAnObject",
      "NoPolicyApplies",
    ]);
  });

  it("judges what the policies' own mutations make, and tells of those that never come to rest", () => {
    const about = (mutations: object[], more: object = {}) =>
      celPolicy("m", {
        matchConstraints: {
          matchPolicy: "Equivalent",
          resourceRules: [
            { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] },
          ],
        },
        validations: [],
        mutations: mutations as never,
        ...more,
      });
    const merge = (expression: string) => ({
      patchType: "ApplyConfiguration",
      applyConfiguration: { expression },
    });
    const label = merge("Object{metadata: Object.metadata{labels: {'team': 'none'}}}");
    const validations = [{ expression: "has(object.metadata.labels)", message: "needs labels" }];
    const objects = [at(configMap)];
    expect(check({ policies: [about([label], { validations })], objects }).findings).toEqual([]);
    const grows = merge(
      "Object{metadata: Object.metadata{annotations: {'n': object.metadata.?annotations[?'n'].orValue('') + '+'}}}",
    );
    expect(check({ policies: [about([grows])], objects }).findings).toMatchObject([
      { policy: "m", code: "NotIdempotent" },
    ]);
    const list = merge("Object{metadata: Object.metadata{finalizers: ['example.com/hold']}}");
    expect(check({ policies: [about([list])], objects })).toMatchObject({ findings: [], notOffline: ["m"] });
  });

  it("knows the labels of namespaces given or among the objects", () => {
    const namespaceSelector = { matchLabels: { team: "payments" } };
    const policies = [
      podSecurityPolicy("p", { matchConstraints: { matchPolicy: "Equivalent", namespaceSelector } }),
    ];
    const objects = [at(offender())];
    expect(check({ policies, objects }).findings).toHaveLength(0);
    expect(
      check({ policies, objects, namespaces: { "team-a": { team: "payments" } } }).findings,
    ).toHaveLength(1);
    const namespace = {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "team-a", labels: { team: "payments" } },
    };
    expect(check({ policies, objects: [...objects, at(namespace)] }).findings).toHaveLength(1);
  });

  it("puts objects without a namespace into the default one", () => {
    const [finding] = check({
      objects: [at(offender("bad", { namespace: undefined }))],
      defaultNamespace: "here",
    }).findings;
    expect(finding?.message).toContain('Pod "here/bad"');
  });

  it("applies exceptions from files, which have no creation time yet", () => {
    const policies = [
      podSecurityPolicy("p", { exceptions: { namespaces: { names: ["team-a"] }, maxDuration: "720h" } }),
    ];
    const verdict = (expiresAt: string) =>
      check({ policies, objects: [at(offender())], exceptions: [shieldException("e", { expiresAt })] });
    expect(verdict("2026-01-20T00:00:00Z")).toMatchObject({
      findings: [],
      exempted: [{ exception: "team-a/e" }],
    });
    expect(verdict("2026-03-20T00:00:00Z").findings).toHaveLength(1);
    expect(verdict("2025-12-20T00:00:00Z").findings).toHaveLength(1);
  });

  it("names policies it cannot evaluate and those that are broken", () => {
    const takesParameters = celPolicy("c", {
      paramKind: { apiVersion: "v1", kind: "ConfigMap" },
      paramRef: { name: "limits", parameterNotFoundAction: "Deny" },
    });
    const asks = celPolicy("a", {
      validations: [{ expression: "authorizer.path('/x').check('get').allowed()" }],
    });
    const report = check({
      policies: [takesParameters, asks, podSecurityPolicy("r", { evaluation: "Native" })],
      objects: [at(configMap)],
    });
    expect(report.notOffline).toEqual(["a", "c"]);
    expect(report.problems).toMatchObject([{ name: "r", error: { code: "NotYetSupported" } }]);
  });

  it("takes parameters from the files, and needs one there to judge at all", () => {
    const limited = celPolicy("limited", {
      paramKind: { apiVersion: "v1", kind: "ConfigMap" },
      paramRef: { name: "owners", parameterNotFoundAction: "Deny" },
      matchConstraints: {
        matchPolicy: "Equivalent",
        resourceRules: [
          { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["secrets"] },
        ],
      },
      validations: [{ expression: "object.metadata.name == params.data.owner", message: "not the owner" }],
    });
    const secret = (name: string, namespace = "team-a") =>
      at({ apiVersion: "v1", kind: "Secret", metadata: { name, namespace } });
    const owners = (owner: string) => ({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "owners", namespace: "team-a" },
      data: { owner },
    });
    const objects = [secret("mine"), secret("other"), secret("mine", "team-b")];
    const without = check({ policies: [limited], objects });
    expect(without).toMatchObject({ notOffline: ["limited"], findings: [], checked: 0 });
    const { findings, notOffline } = check({ policies: [limited], objects, parameters: [owners("mine")] });
    expect(notOffline).toEqual([]);
    expect(findings.map(({ message }) => message)).toEqual([
      expect.stringContaining('Secret "team-a/other": not the owner'),
      expect.stringContaining("no params found"),
    ]);
    const among = check({ policies: [limited], objects: [...objects.slice(0, 2), at(owners("other"))] });
    expect(among.findings.map(({ manifest }) => manifest)).toEqual([objects[0]]);
  });

  it("evaluates what the API server would evaluate itself", () => {
    const objects = [at(configMap, 7)];
    const { findings } = check({ policies: [celPolicy("owned")], objects });
    expect(findings).toMatchObject([
      { policy: "owned", manifest: { line: 7 }, violations: [{ detail: "label it with an owner" }] },
    ]);
  });

  it("knows resources by CustomResourceDefinitions among the objects, and the scope of built-in kinds", () => {
    const rule = (apiGroups: string[], resources: string[], scope: "Cluster" | "Namespaced") => ({
      apiGroups,
      apiVersions: ["*"],
      operations: ["CREATE" as const],
      resources,
      scope,
    });
    const resourceRules = [
      rule(["x.io"], ["geese"], "Cluster"),
      rule(["networking.k8s.io"], ["networkpolicies"], "Namespaced"),
      rule([""], ["namespaces"], "Cluster"),
    ];
    const policy = celPolicy("c", {
      matchConstraints: { matchPolicy: "Equivalent", resourceRules },
      validations: [{ expression: "false", message: "never" }],
    });
    const names = { kind: "Goose", plural: "geese" };
    const definition = { kind: "CustomResourceDefinition", spec: { group: "x.io", scope: "Cluster", names } };
    const of = (apiVersion: string, kind: string) => at({ apiVersion, kind, metadata: { name: "a" } });
    const objects = [
      of("x.io/v1", "Goose"),
      of("networking.k8s.io/v1", "NetworkPolicy"),
      of("v1", "Namespace"),
    ];
    expect(check({ policies: [policy], objects: [...objects, at(definition)] }).findings).toHaveLength(3);
    expect(check({ policies: [policy], objects }).findings).toHaveLength(2);
  });
});

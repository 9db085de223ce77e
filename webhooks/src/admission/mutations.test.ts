import type { ShieldPolicy } from "@shieldx/crds";
import { buildPolicySet, type ObjectTypes, objectTypes, type PolicySet } from "@shieldx/policy-engine";
import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import type { AdmissionRequest } from "../server/admission-review.ts";
import { encodeAdmissionAnswer } from "../server/admission-review.ts";
import type { OpenGlass } from "./break-glass.ts";
import { AdmissionMetrics } from "./metrics.ts";
import { mutationHandler } from "./mutations.ts";

const types = objectTypes({
  components: {
    schemas: {
      ConfigMap: {
        type: "object",
        "x-kubernetes-group-version-kind": [{ group: "", version: "v1", kind: "ConfigMap" }],
      },
    },
  },
}) as ObjectTypes;

function policy(name: string, expression: string, spec: object = {}): ShieldPolicy {
  return {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldPolicy",
    metadata: { name, uid: name, generation: 1 },
    spec: {
      engine: "cel",
      evaluation: "Webhook",
      actions: { admission: "deny" },
      matchConstraints: {
        matchPolicy: "Equivalent",
        resourceRules: [
          { apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"], operations: ["CREATE"] },
        ],
      },
      mutations: [{ patchType: "ApplyConfiguration", applyConfiguration: { expression } }],
      ...spec,
    },
  } as unknown as ShieldPolicy;
}
const labelled = "Object{metadata: Object.metadata{labels: {'a/b': 'c'}}}";
const request: AdmissionRequest = {
  uid: "u",
  kind: { group: "", version: "v1", kind: "ConfigMap" },
  resource: { group: "", version: "v1", resource: "configmaps" },
  name: "c",
  namespace: "default",
  operation: "CREATE",
  userInfo: { username: "alice" },
  object: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c", namespace: "default" } },
};

function setUp(
  set: PolicySet | undefined,
  known: ObjectTypes = types,
  brokenBy?: (policy: string) => OpenGlass | undefined,
) {
  const registry = new Registry();
  const metrics = new AdmissionMetrics(registry);
  metrics.keepPolicies(set?.policies ?? []);
  const log = () => undefined;
  const lookups: string[] = [];
  const handler = mutationHandler({
    failurePolicy: "Fail",
    reinvocationPolicy: "IfNeeded",
    policySet: () => set,
    findNamespace: async (name) => {
      lookups.push(name);
      return { apiVersion: "v1", kind: "Namespace", metadata: { name } };
    },
    findTypes: async () => known,
    askAuthorizer: async () => ({ allowed: true, reason: "" }),
    brokenBy,
    now: () => 0,
    metrics,
    refusals: { tell: log },
    logger: { debug: log, info: log, warn: log, error: log },
  });
  const ask = async (asked = request) =>
    handler(asked, { deadlineMs: 1_000 } as Parameters<typeof handler>[1]);
  return { registry, lookups, ask };
}
const setOf = (...policies: ShieldPolicy[]) => buildPolicySet({ policies, exceptions: [], serverMinor: 37 });

describe("the mutation handler", () => {
  it("answers with the difference as a patch, notes who made it, and counts it", async () => {
    const { ask, registry } = setUp(setOf(policy("p", labelled)));
    const answer = await ask();
    expect(answer).toEqual({
      allowed: true,
      patch: [{ op: "add", path: "/metadata/labels", value: { "a/b": "c" } }],
      auditAnnotations: { mutated: "p" },
    });
    const { response } = JSON.parse(encodeAdmissionAnswer("u", answer));
    expect(response.patchType).toBe("JSONPatch");
    expect(JSON.parse(Buffer.from(response.patch, "base64").toString())).toEqual(answer.patch);
    const metric = await registry.getSingleMetric("shieldx_admission_mutations_total")?.get();
    expect(metric?.values).toMatchObject([{ labels: { policy: "p" }, value: 1 }]);
  });

  it("lets pass what a policy cannot change while its glass is broken, as the others have made it", async () => {
    const set = setOf(policy("broken", "Object{metadata: object.no}"), policy("p", labelled));
    const refused = await setUp(set).ask();
    expect(refused).toMatchObject({ allowed: false, status: { code: 422 } });
    expect(refused).not.toHaveProperty("patch");
    const glass = { name: "inc", uid: "g", expiresAt: "2026-01-01T00:00:00Z" };
    const { ask } = setUp(set, types, (name) => (name === "broken" ? glass : undefined));
    expect(await ask()).toMatchObject({
      allowed: true,
      warnings: [expect.stringContaining('by ShieldBreakGlass "inc"')],
      patch: [{ op: "add", path: "/metadata/labels", value: { "a/b": "c" } }],
      auditAnnotations: { mutated: "p", "break-glass": "broken: ShieldBreakGlass inc" },
    });
  });

  it("looks nothing up for requests that no policy of its kind changes", async () => {
    const once = policy("p", labelled, { reinvocationPolicy: "Never" });
    const ignoring = policy("q", labelled, { failurePolicy: "Ignore" });
    const { ask, lookups } = setUp(setOf(once, ignoring));
    expect(await ask()).toEqual({ allowed: true });
    expect(lookups).toEqual([]);
  });

  it.each([
    ["503, to be tried again, while the schema is unknown", () => undefined, labelled, 503],
    [
      "422 where trying again will not help",
      types,
      "Object{metadata: Object.metadata{annotations: {'n': object.metadata.?annotations[?'n'].orValue('') + 'x'}}}",
      422,
    ],
  ] as const)("refuses with %s", async (_, known, expression, code) => {
    const answer = await setUp(setOf(policy("p", expression)), known).ask();
    expect(answer).toMatchObject({ allowed: false, status: { code } });
    expect(answer.patch).toBeUndefined();
  });

  it("lets failurePolicy decide while no policies are loaded", async () => {
    await expect(setUp(undefined).ask()).rejects.toThrow("no policy set");
  });
});

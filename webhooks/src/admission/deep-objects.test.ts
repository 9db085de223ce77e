import type { ShieldPolicy } from "@shieldx/crds";
import { buildPolicySet, type ObjectTypes, objectTypes } from "@shieldx/policy-engine";
import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import { decodeAdmissionReview, encodeAdmissionAnswer } from "../server/admission-review.ts";
import { review } from "../server/server.test-kit.ts";
import type { AdmissionHandler } from "../server/webhook-server.ts";
import { kindHandler } from "./kinds.ts";
import { AdmissionMetrics } from "./metrics.ts";
import { mutationHandler } from "./mutations.ts";
import { policyHandler } from "./policies.ts";

/** As deep as Go's decoder goes, and so an object in an API server. */
const levels = 9_997;
const DEEP = "DEEP";
const deepText = (inner = "1") => `${'{"a":'.repeat(levels)}${inner}${"}".repeat(levels)}`;

const thing = (name: string, more: object = {}) => ({
  apiVersion: "large.example.com/v1",
  kind: "Thing",
  metadata: { name, namespace: "default" },
  spec: { x: DEEP },
  ...more,
});
/** From the bytes to the answer, as a request goes. */
async function ask(handler: AdmissionHandler, request: object, deep = deepText()) {
  const text = JSON.stringify(
    review({
      kind: { group: "large.example.com", version: "v1", kind: "Thing" },
      resource: { group: "large.example.com", version: "v1", resource: "things" },
      ...request,
    }),
  ).replaceAll(`"${DEEP}"`, deep);
  const decoded = decodeAdmissionReview(Buffer.from(text));
  const answer = await handler(decoded, { deadlineMs: 4_000, leaf: "", remoteAddress: "" });
  return JSON.parse(encodeAdmissionAnswer(decoded.uid, answer)).response;
}

function policy(name: string, spec: object): ShieldPolicy {
  return {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldPolicy",
    metadata: { name, uid: name, generation: 1 },
    spec: {
      engine: "cel",
      evaluation: "Webhook",
      failurePolicy: "Ignore",
      actions: { admission: "deny" },
      matchConstraints: {
        matchPolicy: "Equivalent",
        resourceRules: [
          {
            apiGroups: ["large.example.com"],
            apiVersions: ["v1"],
            resources: ["things"],
            operations: ["CREATE", "UPDATE"],
          },
        ],
      },
      ...spec,
    },
  } as unknown as ShieldPolicy;
}
const validating = (name: string, expression: string) =>
  policy(name, { validations: [{ expression, message: "no" }] });
const mutating = (name: string, expression: string, more: object = {}) =>
  policy(name, { mutations: [{ patchType: "JSONPatch", jsonPatch: { expression } }], ...more });

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
function parts(...policies: ShieldPolicy[]) {
  const set = buildPolicySet({ policies, exceptions: [], serverMinor: 37 });
  expect(set.problems).toEqual([]);
  return {
    failurePolicy: "Ignore" as const,
    policySet: () => set,
    findNamespace: async (name: string) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } }),
    askAuthorizer: async () => ({ allowed: true, reason: "" }),
    now: () => 0,
    metrics: new AdmissionMetrics(new Registry()),
    refusals: { tell: () => {} },
    logger: silent,
  };
}

describe("an object as deep as an API server takes it", () => {
  it("is judged as any other by what does not walk it", async () => {
    const handler = policyHandler(
      parts(
        validating("names", "!object.metadata.name.startsWith('bad')"),
        validating("has", "has(object.spec.x.a.a)"),
      ),
    );
    expect(await ask(handler, { object: thing("good") })).toEqual({ uid: "6f9d", allowed: true });
    expect(await ask(handler, { object: thing("bad") })).toMatchObject({ allowed: false });
    const updated = { operation: "UPDATE", object: thing("bad"), oldObject: thing("bad") };
    expect(await ask(handler, updated)).toMatchObject({ allowed: false });
  });

  it.each([
    ["==", "object.spec == oldObject.spec", /nested too deeply to compare/],
    ["in", "oldObject.spec in [object.spec] || object.spec.x.a == oldObject.spec.x.a", /too deeply/],
    ["formatting", "'%s'.format([object.spec]) != ''", /deep/],
  ])("is an error of the one policy that walks it: %s", async (_, expression, told) => {
    const handler = policyHandler(parts(validating("walks", expression), validating("names", "true")));
    const response = await ask(handler, { operation: "UPDATE", object: thing("a"), oldObject: thing("a") });
    expect(response.allowed).toBe(true);
    expect(response.auditAnnotations.audited).toMatch(
      /^ShieldPolicy "walks" could not be evaluated for [^\n]*$/,
    );
    expect(response.auditAnnotations.audited).toMatch(told);
    const others = policyHandler(parts(validating("walks", expression), validating("names", "false")));
    const refused = await ask(others, { operation: "UPDATE", object: thing("a"), oldObject: thing("a") });
    expect(refused.status.message).toBe('ShieldPolicy "names" refuses Thing "default/web": no');
  });

  it("can be let go: only what a deletion leaves is compared", async () => {
    const going = (more: object) =>
      thing("bad", {
        metadata: { name: "bad", namespace: "default", deletionTimestamp: "2026-01-01T00:00:00Z", ...more },
      });
    const handler = policyHandler(parts(validating("none", "false")));
    const request = { operation: "UPDATE", oldObject: going({ finalizers: ["x"] }), object: going({}) };
    expect(await ask(handler, request)).toMatchObject({ allowed: true });
  });

  const types = objectTypes({
    components: {
      schemas: {
        Thing: {
          type: "object",
          "x-kubernetes-preserve-unknown-fields": true,
          "x-kubernetes-group-version-kind": [{ group: "large.example.com", version: "v1", kind: "Thing" }],
        },
      },
    },
  }) as ObjectTypes;
  const mutations = (...policies: ShieldPolicy[]) =>
    mutationHandler({ ...parts(...policies), reinvocationPolicy: "IfNeeded", findTypes: async () => types });
  const patchOf = (response: { patch: string }) => Buffer.from(response.patch, "base64").toString();

  it("is changed as any other where the change is not deep", async () => {
    const labels = "[JSONPatch{op: 'add', path: '/metadata/labels', value: {'a': 'b'}}]";
    const response = await ask(mutations(mutating("labels", labels)), { object: thing("a") });
    expect(JSON.parse(patchOf(response))).toEqual([
      { op: "add", path: "/metadata/labels", value: { a: "b" } },
    ]);
  });

  it("is changed deep down, or that is an error of the one policy that would", async () => {
    const below = `/spec/x${"/a".repeat(300)}/b`;
    const deep = `[JSONPatch{op: 'add', path: '${below}', value: 'c'}]`;
    const moved = "[JSONPatch{op: 'move', from: '/spec/x', path: '/spec/y'}]";
    const labels = "[JSONPatch{op: 'add', path: '/metadata/labels', value: {'a': 'b'}}]";
    for (const expression of [deep, moved]) {
      const handler = mutations(mutating("deep", expression), mutating("labels", labels));
      const response = await ask(handler, { object: thing("a") });
      expect(response.allowed).toBe(true);
      expect(patchOf(response)).toContain('"/metadata/labels"');
      const isMade = response.auditAnnotations.mutated.includes("deep");
      if (!isMade) expect(response.auditAnnotations.audited).toMatch(/ShieldPolicy "deep" could not be/);
    }
  });
});

it("an object of our own kinds that is too deep is refused as one", async () => {
  const none = () => {
    throw new Error("not asked");
  };
  const handler = kindHandler({
    policySet: () => undefined,
    findNamespace: async () => undefined,
    checkExpressions: none,
    now: () => 0,
    serverMinor: () => 37,
    rego: { prepare: none, state: none },
    policiesIn: () => [],
    neverJudged: [],
    findReadable: none,
  } as unknown as Parameters<typeof kindHandler>[0]);
  const ours = { kind: { group: "shieldx.io", version: "v1alpha1", kind: "ShieldPolicy" } };
  const created = await ask(handler, { ...ours, object: thing("a") });
  expect(created).toMatchObject({ allowed: false, status: { code: 422, message: /nested/ } });
  const same = { ...ours, operation: "UPDATE", object: thing("a"), oldObject: thing("a") };
  expect(await ask(handler, same)).toMatchObject({ allowed: true });
});

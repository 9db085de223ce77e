import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findDrift, findObjectDrift, renderingDigest } from "./drift.ts";

const entry = (over: object = {}) => ({
  name: "policies.shieldx.io",
  rules: [{ apiGroups: [""], resources: ["pods"], operations: ["CREATE"], scope: "Namespaced" }],
  failurePolicy: "Fail",
  ...over,
});
const object = (webhooks: object[], metadata: object = {}) => ({
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "ValidatingWebhookConfiguration",
  metadata: { name: "shieldx-policies-fail", labels: { a: "b" }, ...metadata },
  webhooks,
});

describe("findObjectDrift", () => {
  it("accepts values that the server fills in", () => {
    const actual = object([entry({ matchPolicy: "Equivalent", objectSelector: {}, namespaceSelector: {} })]);
    expect(findObjectDrift(actual, object([entry()]))).toEqual([]);
  });

  it.each([
    [
      "a condition that switches an entry off",
      [entry({ matchConditions: [{ name: "x", expression: "false" }] })],
    ],
    ["a label that narrows a selector", [entry({ objectSelector: { matchLabels: { x: "y" } } })]],
    ["an entry of somebody else", [entry(), entry({ name: "theirs.example.com" })]],
    ["a removed entry", []],
    ["another failure policy", [entry({ failurePolicy: "Ignore" })]],
    ["a rule less", [entry({ rules: [] })]],
  ])("sees %s", (_what, webhooks) => {
    expect(findObjectDrift(object(webhooks), object([entry()]))).not.toEqual([]);
  });

  it("names the path for a person", () => {
    expect(findObjectDrift(object([entry({ failurePolicy: "Ignore" })]), object([entry()]))).toEqual([
      "webhooks[0].failurePolicy",
    ]);
  });

  it("sees a removed label and owner, and leaves other people's labels alone", () => {
    const owner = { apiVersion: "shieldx.io/v1alpha1", kind: "ShieldPolicy", name: "p", uid: "u" };
    const desired = object([entry()], { ownerReferences: [owner] });
    const actual = object([entry()], { labels: { theirs: "x" } });
    expect(findObjectDrift(actual, desired)).toEqual(["metadata.labels[a]", "metadata.ownerReferences"]);
    const extra = object([entry()], { labels: { a: "b", theirs: "x" }, ownerReferences: [owner] });
    expect(findObjectDrift(extra, desired)).toEqual([]);
  });
});

describe("findObjectDrift of metadata", () => {
  it("sees a finalizer, which would let somebody else say when the object goes", () => {
    const held = object([entry()], { finalizers: ["example.org/hold"] });
    expect(findObjectDrift(held, object([entry()]))).toEqual(["metadata.finalizers"]);
  });
});

describe("findObjectDrift of owners", () => {
  const owner = (uid: string) => ({ apiVersion: "v1", kind: "ConfigMap", name: "c", uid });

  it("sees an owner of somebody else's, unless owners are not ours to say", () => {
    const owned = object([entry()], { ownerReferences: [owner("theirs")] });
    expect(findObjectDrift(owned, object([entry()], { ownerReferences: [] }))).toEqual([
      "metadata.ownerReferences",
    ]);
    expect(findObjectDrift(owned, object([entry()]))).toEqual([]);
  });
});

describe("renderingDigest", () => {
  it("is the same for what we write and what the server makes of it", () => {
    const served = object([entry({ matchPolicy: "Equivalent", objectSelector: {}, timeoutSeconds: 10 })], {
      uid: "u",
      labels: { theirs: "x" },
    });
    expect(renderingDigest(served)).toBe(renderingDigest(object([entry()])));
  });

  it("differs wherever drift is found", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.dictionary(fc.string(), fc.jsonValue()),
        (a, b) => {
          const [one, two] = [
            { metadata: {}, spec: a },
            { metadata: {}, spec: b },
          ];
          const isSame = findObjectDrift(one, two).length === 0;
          if (renderingDigest(one) === renderingDigest(two)) expect(isSame).toBe(true);
        },
      ),
    );
  });
});

describe("findDrift", () => {
  it("is empty for any value and itself", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(findDrift(structuredClone(value), value)).toEqual([]);
      }),
    );
  });

  it("sees any added field that holds something", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom("a", "b"), fc.jsonValue()),
        fc.oneof(fc.string(), fc.integer(), fc.array(fc.integer(), { minLength: 1 })),
        (base, extra) => {
          expect(findDrift({ ...base, added: extra }, base)).toEqual(["added"]);
        },
      ),
    );
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { admissionRequest, celPolicy, newYear } from "../../testing/objects.ts";
import { compileCelRules } from "../cel/admission/compile.ts";
import { buildPolicySet } from "../policy-set/build.ts";
import { notFinalizing } from "./must-pass.ts";

type Fields = Readonly<Record<string, unknown>>;

const policies = [
  celPolicy("all", {
    evaluation: "Webhook",
    validations: [{ expression: "false", message: "nothing goes" }],
  }),
];
const set = buildPolicySet({ policies, exceptions: [], serverMinor: 37 });
const condition = compileCelRules({
  failurePolicy: "Fail",
  matchConditions: [{ name: "ours", expression: notFinalizing }],
  validations: [{ expression: "true" }],
});

const dying = (metadata: Fields, more: Fields = {}): Fields => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: {
    ...{ name: "a", namespace: "team-a", uid: "u", creationTimestamp: "2026-01-01T00:00:00Z" },
    ...{ deletionTimestamp: "2026-01-02T00:00:00Z", deletionGracePeriodSeconds: 0 },
    ...metadata,
  },
  ...more,
});
const update = (oldObject: Fields, object: Fields) =>
  admissionRequest(object, { operation: "UPDATE", oldObject });

/** Whether the update is judged, by the webhook and by the API server. */
function judged(oldObject: Fields, object: Fields): { here: boolean; natively: boolean; cost: number } {
  const request = update(oldObject, object);
  const { allowed } = set.evaluate(request, { namespaceLabels: {}, now: newYear });
  let cost = 0;
  const onCost = (units: number) => {
    cost += units;
  };
  const { isMatch, failures } = condition.evaluate({ request, object, oldObject }, { onCost });
  expect(failures).toEqual([]);
  return { here: !allowed, natively: isMatch, cost };
}

describe("an update of an object that is being deleted", () => {
  const before = {
    finalizers: ["x/y", "x/z"],
    labels: { app: "web", held: "yes" },
    annotations: { note: "kept" },
    ownerReferences: [{ name: "owner", blockOwnerDeletion: true }],
    managedFields: [{ manager: "a" }],
    resourceVersion: "1",
  };
  it.each<[string, Fields, boolean]>([
    ["takes a finalizer away", { ...before, finalizers: ["x/z"] }, false],
    ["takes the last finalizers away", { ...before, finalizers: undefined }, false],
    ["drops a label together with a finalizer", { ...before, finalizers: [], labels: { app: "web" } }, false],
    ["drops all labels and annotations", { ...before, labels: undefined, annotations: {} }, false],
    ["changes its owners and who manages it", { ...before, ownerReferences: [], managedFields: [] }, false],
    ["is of another version", { ...before, resourceVersion: "2", generation: 3 }, false],
    ["adds a label", { ...before, labels: { ...before.labels, more: "1" } }, true],
    ["changes a label", { ...before, labels: { app: "web", held: "no" } }, true],
    ["adds an annotation", { ...before, annotations: { ...before.annotations, more: "1" } }, true],
    [
      "changes an annotation while a finalizer goes",
      { ...before, finalizers: [], annotations: { note: "" } },
      true,
    ],
    ["puts a label in another's place", { ...before, labels: { other: "web", held: "yes" } }, true],
    ["brings metadata not known here", { ...before, whatComesNext: "on" }, true],
  ])("that %s", (_, after, isJudged) => {
    const defined = JSON.parse(JSON.stringify(after)) as Fields;
    expect(judged(dying(before), dying(defined))).toMatchObject({ here: isJudged, natively: isJudged });
  });

  it("that brings the first labels or annotations", () => {
    for (const field of ["labels", "annotations"])
      expect(judged(dying({}), dying({ [field]: { a: "b" } }))).toMatchObject({ here: true, natively: true });
  });

  it("is judged alike here and by the API server", () => {
    const map = fc.dictionary(
      fc.constantFrom("a", "b", "__proto__", "constructor"),
      fc.constantFrom("", "1"),
    );
    const metadata = fc.record(
      {
        ...{ labels: map, annotations: map, finalizers: fc.subarray(["x/y", "x/z"]) },
        ...{ generateName: fc.constantFrom("a-", "b-"), generation: fc.nat({ max: 1 }) },
        ownerReferences: fc.subarray([{ name: "o" }, { name: "p" }]),
      },
      { requiredKeys: [] },
    );
    const more = fc.record({ data: map, status: map }, { requiredKeys: [] });
    let count = 0;
    fc.assert(
      fc.property(
        metadata,
        more,
        metadata,
        more,
        fc.boolean(),
        (old, oldMore, changed, changedMore, isSame) => {
          const after = isSame ? { ...old, finalizers: changed.finalizers } : changed;
          const { here, natively } = judged(
            dying(old, oldMore),
            dying(after, isSame ? oldMore : changedMore),
          );
          count += here ? 1 : 0;
          expect(natively).toBe(here);
        },
      ),
      { numRuns: 2_000 },
    );
    expect(count).toBeGreaterThan(100);
    expect(count).toBeLessThan(1_900);
  });
});

describe("the condition's cost", () => {
  /** Of one expression (apiserver pkg/apis/cel/config.go); beyond it failurePolicy alone decides. */
  const LIMIT = 1_000_000;
  const many = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`a${at}`, ""]));

  it.each([
    ["as many as are compared go one by one", 1_001, 1_000, false],
    ["more are judged without a look", 10_000, 9_999, true],
  ])("stays far from its limit: %s", (_, old, left, isJudged) => {
    // All annotations together have 256 KiB at most (apimachinery pkg/api/validation/objectmeta.go).
    const notes = Object.entries(many(1_001)).map(([key]) => [key, "v".repeat(250)]);
    const of = (count: number, noted: number) =>
      dying({ labels: many(count), annotations: Object.fromEntries(notes.slice(0, noted)) });
    const { here, natively, cost } = judged(of(old, 1_001), of(left, 1_000));
    expect({ here, natively }).toEqual({ here: isJudged, natively: isJudged });
    expect(cost).toBeLessThan(LIMIT / 4);
  });
});

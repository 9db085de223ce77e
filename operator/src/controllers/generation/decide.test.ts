import type { KubeObject } from "@shieldx/controller-runtime";
import { GENERATED_KINDS } from "@shieldx/crds";
import type { RenderedEntry } from "@shieldx/policy-engine";
import { describe, expect, it } from "vitest";
import { Contest } from "./contest.ts";
import { desiredObject, planNamespace } from "./decide.ts";
import { GenerationStandings } from "./standings.ts";
import { generatorStatus } from "./status.ts";

const [, kind] = GENERATED_KINDS;
if (kind === undefined) throw new Error("no kinds");

const entry = (objectName = "team", more: Partial<RenderedEntry> = {}): RenderedEntry => ({
  name: "quota",
  kind,
  objectName,
  synchronize: true,
  object: { apiVersion: "v1", kind: "ResourceQuota", metadata: { name: objectName }, spec: {} },
  ...more,
});

/** As the cache shows it. */
function live(more: Partial<KubeObject["metadata"]> = {}, by = "shieldx-generation"): KubeObject {
  const made = desiredObject(entry(), "basics", "a");
  const managedFields = [{ manager: by, operation: "Apply" as const }];
  return { ...made, metadata: { ...made.metadata, uid: "u", managedFields, ...more } };
}

const plan = (wanted: RenderedEntry[], ...present: KubeObject[]) => {
  const { steps, problems, settled } = planNamespace({
    generator: "basics",
    namespace: "a",
    wanted,
    present: present.map((object) => ({ of: kind, object })),
  });
  return { steps: steps.map((step) => step.kind), reasons: problems.map(({ reason }) => reason), settled };
};

describe("one namespace of a generator", () => {
  it("has made what is missing, kept what is its own, removed what is no longer wanted", () => {
    expect(plan([entry()])).toEqual({ steps: ["create"], reasons: [], settled: 0 });
    expect(plan([entry()], live())).toEqual({ steps: ["keep"], reasons: [], settled: 0 });
    expect(plan([], live())).toEqual({ steps: ["remove"], reasons: [], settled: 0 });
    expect(plan([entry("other")], live()).steps).toEqual(["create", "remove"]);
  });

  it("leaves alone what is another generator's, a copy, or was taken over", () => {
    const others = live({ labels: { "shieldx.io/generator": "other" } });
    const copy = live({}, "kubectl");
    for (const foreign of [others, copy]) {
      expect(plan([entry()], foreign)).toEqual({ steps: [], reasons: ["NotOurs"], settled: 0 });
      expect(plan([], foreign).steps).toEqual([]);
    }
    expect(plan([], live({ labels: {} })).steps).toEqual([]);
  });

  it("touches what was made once no more", () => {
    const once = live({ annotations: { "shieldx.io/synchronize": "false" } });
    expect(plan([entry("team", { synchronize: false })], once)).toEqual({
      steps: [],
      reasons: [],
      settled: 1,
    });
    expect(plan([], once).steps).toEqual([]);
    expect(plan([entry()], once).steps).toEqual(["keep"]);
  });

  it("keeps what it cannot say the value of", () => {
    const unknown = entry("team", { object: undefined, problem: "no such key" });
    expect(plan([unknown], live())).toEqual({ steps: [], reasons: ["EvaluationError"], settled: 0 });
  });

  it("lets no template take the labels that say whose an object is", () => {
    const metadata = { name: "team", labels: { "app.kubernetes.io/managed-by": "me", team: "x" } };
    const made = desiredObject(entry("team", { object: { metadata } }), "basics", "a");
    expect(made.metadata.labels).toEqual({
      team: "x",
      "app.kubernetes.io/managed-by": "shieldx-operator",
      "shieldx.io/generator": "basics",
    });
  });
});

describe("a contest", () => {
  it("ends after five times within ten minutes, until these are over", () => {
    const contest = new Contest();
    for (let at = 0; at < 4; at++) contest.mended("o", at);
    expect(contest.pauseMs("o", 10)).toBeUndefined();
    contest.mended("o", 4);
    expect(contest.pauseMs("o", 10)).toBe(599_990);
    expect(contest.pauseMs("p", 10)).toBeUndefined();
    expect(contest.pauseMs("o", 600_001)).toBeUndefined();
  });
});

describe("a generator's status", () => {
  const problem = { object: "ResourceQuota team", reason: "NotOurs", message: "exists already" };
  const observed = (standings: GenerationStandings, compileError?: string) => ({
    generation: 3,
    previous: undefined,
    compileError,
    standing: standings.standing("basics"),
  });

  it("counts, and names what is not in step by namespace", () => {
    const standings = new GenerationStandings();
    standings.expect("basics", ["a", "b", "c"]);
    standings.note("basics", "b", { objects: 2, inStep: 1, problems: [problem] });
    standings.note("basics", "a", { objects: 2, inStep: 2, problems: [] });
    expect(generatorStatus(observed(standings), 0)).toMatchObject({
      namespaces: 2,
      objects: 4,
      inStep: 3,
      problems: [{ namespace: "b", object: "ResourceQuota team", reason: "NotOurs" }],
      conditions: [{ type: "Ready", status: "False", reason: "NotOurs" }],
    });
  });

  it("is ready when every namespace has been looked at and nothing is in the way", () => {
    const standings = new GenerationStandings();
    standings.expect("basics", ["a", "b"]);
    standings.note("basics", "a", { objects: 1, inStep: 1, problems: [] });
    const reason = () => generatorStatus(observed(standings), 0).conditions?.[0]?.reason;
    expect(reason()).toBe("Working");
    standings.note("basics", "b", undefined);
    expect(reason()).toBe("InStep");
  });

  it("says nothing of objects where the generator is not understood", () => {
    const status = generatorStatus(observed(new GenerationStandings(), "spec.x: no"), 0);
    expect(status).toMatchObject({ conditions: [{ reason: "NotCompiled", status: "False" }] });
    expect(status.objects).toBeUndefined();
  });
});

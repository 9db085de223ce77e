import { fragmentOf, renderAdmissionPolicy } from "@shieldx/policy-engine";
import { describe, expect, it } from "vitest";
import { type Plan, planObjects, type Stored, type Want } from "./plan.ts";

const want = (policy: string, generation = 1, operations = ["CREATE"]): Want => {
  const uid = `uid-of-${policy}`;
  const rendered = renderAdmissionPolicy(
    {
      apiVersion: "shieldx.io/v1alpha1",
      kind: "ShieldPolicy",
      metadata: { name: policy, uid, generation },
      spec: {
        engine: "cel",
        evaluation: "Auto",
        actions: { admission: "deny" },
        matchConstraints: {
          matchPolicy: "Equivalent",
          resourceRules: [
            {
              apiGroups: [""],
              apiVersions: ["v1"],
              resources: ["pods"],
              operations: operations as ["CREATE"],
              scope: "*",
            },
          ],
        },
        validations: [{ expression: `object.metadata.name != '${policy}-${generation}'` }],
      },
    },
    [],
    0,
  );
  const fragment = fragmentOf(rendered);
  if ("alone" in fragment) throw new Error(fragment.alone);
  return { policy, uid, generation, version: `${policy}/${generation}`, rendered, fragment };
};
const broken = (policy: string): Want => ({
  policy,
  uid: `uid-of-${policy}`,
  generation: 9,
  version: "",
  rendered: undefined,
  fragment: undefined,
});
/** What is on the server once a plan was carried out. */
const carriedOut = ({ objects }: Plan): Stored[] =>
  objects.map((written) => ({
    name: written.name,
    members: written.merged?.members ?? written.wants,
    merged: written.merged,
    written,
  }));
const never = () => false;
const always = () => true;
const summary = ({ objects, remove }: Plan) => ({
  objects: Object.fromEntries(
    objects.map(({ name, merged, wants }) => [
      name.replace(/[0-9a-f]{10}/, "KEY"),
      (merged?.members ?? wants).map(({ policy }) => policy),
    ]),
  ),
  remove: remove.map((name) => name.replace(/[0-9a-f]{10}/, "KEY")),
});
const five = ["a", "b", "c", "d", "e"].map((name) => want(name));

describe("planObjects", () => {
  it("merges from four on", () => {
    expect(summary(planObjects(five.slice(0, 3), [], never)).objects).toEqual({
      "shieldx-a": ["a"],
      "shieldx-b": ["b"],
      "shieldx-c": ["c"],
    });
    expect(summary(planObjects(five, [], never)).objects).toEqual({
      "shieldx.group-KEY": ["a", "b", "c", "d", "e"],
    });
  });

  it("takes objects of single policies away once all of them are in force together, and not before", () => {
    const single = carriedOut(planObjects(five.slice(0, 3), [], never));
    const moving = planObjects(five, single, never);
    expect(summary(moving)).toEqual({
      objects: {
        "shieldx.group-KEY": ["a", "b", "c", "d", "e"],
        "shieldx-a": ["a"],
        "shieldx-b": ["b"],
        "shieldx-c": ["c"],
      },
      remove: [],
    });
    expect([...moving.moving]).toEqual(["a", "b", "c"]);
    const moved = planObjects(five, carriedOut(moving), always);
    expect(summary(moved)).toEqual({
      objects: { "shieldx.group-KEY": ["a", "b", "c", "d", "e"] },
      remove: ["shieldx-a", "shieldx-b", "shieldx-c"],
    });
  });

  it("keeps the former version of a policy in its group until the next is in force elsewhere", () => {
    const together = carriedOut(planObjects(five, [], never));
    const changed = [...five.slice(0, 4), want("e", 2, ["UPDATE"])];
    const moving = planObjects(changed, together, never);
    expect(summary(moving).objects).toEqual({
      "shieldx-e": ["e"],
      "shieldx.group-KEY": ["a", "b", "c", "d", "e"],
    });
    const group = moving.objects.find(({ merged }) => merged !== undefined);
    expect(JSON.stringify(group?.policy.spec)).toContain("'e-1'");
    expect(moving.homes.get("e")).toEqual({ object: "shieldx-e", version: "e/2" });
    expect(summary(planObjects(changed, carriedOut(moving), always)).objects).toEqual({
      "shieldx-e": ["e"],
      "shieldx.group-KEY": ["a", "b", "c", "d"],
    });
  });

  it("keeps what there is of a policy that does not compile, whatever becomes of its neighbours", () => {
    const together = carriedOut(planObjects(five, [], never));
    const rest = planObjects([want("a", 2), broken("b")], together, always);
    expect(summary(rest)).toEqual({
      objects: { "shieldx-a": ["a"], "shieldx.group-KEY": ["b"] },
      remove: [],
    });
    expect(rest.homes.has("b")).toBe(false);
    expect(JSON.stringify(rest.objects[1]?.policy.spec)).toContain("'b-1'");
    expect(JSON.stringify(rest.objects[1]?.policy.spec)).not.toContain("'c-1'");
  });

  it("drops at once who was deleted, and one of that name that was made anew is another", () => {
    const together = carriedOut(planObjects(five, [], never));
    expect(summary(planObjects(five.slice(0, 4), together, never)).objects).toEqual({
      "shieldx.group-KEY": ["a", "b", "c", "d"],
    });
    expect(summary(planObjects([], together, never))).toEqual({ objects: {}, remove: ["shieldx.group-KEY"] });
    const anew = { ...broken("e"), uid: "another" };
    expect(summary(planObjects([...five.slice(0, 4), anew], together, never)).objects).toEqual({
      "shieldx.group-KEY": ["a", "b", "c", "d"],
    });
  });

  it("plans the same again once it was carried out", () => {
    const first = planObjects(five, [], never);
    expect(planObjects(five, carriedOut(first), never).objects).toEqual(first.objects);
  });
});

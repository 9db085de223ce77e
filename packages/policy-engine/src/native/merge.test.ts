import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { celPolicy, newYear, shieldException } from "../../testing/objects.ts";
import { compileCelRules } from "../cel/admission/compile.ts";
import { parseCel, renameFields } from "./cel-source.ts";
import { type Fragment, fragmentOf } from "./fragment.ts";
import { FEWEST_TO_MERGE, type Grouping, groupFragments } from "./grouping.ts";
import { memberOf, membersOf, mergeMembers, ownersOfField } from "./merge.ts";
import { renderAdmissionPolicy } from "./render.ts";
import { GROUP_BUDGET, weightOf } from "./weight.ts";

type Spec = NonNullable<Parameters<typeof celPolicy>[1]>;
const found = (name: string, spec: Spec = {}, exceptions: Parameters<typeof renderAdmissionPolicy>[1] = []) =>
  fragmentOf(renderAdmissionPolicy(celPolicy(name, spec), exceptions, newYear));
const fragment = (...args: Parameters<typeof found>): Fragment => {
  const result = found(...args);
  if ("alone" in result) throw new Error(result.alone);
  return result;
};
const alone = (spec: Spec) => {
  const result = found("p", spec);
  return "alone" in result ? result.alone : undefined;
};
const validations = (...expressions: string[]) =>
  expressions.map((expression) => ({ expression, message: "m" }));
const parsed = (source: string) => {
  const expr = parseCel(source);
  if (expr === undefined) throw new Error(`no CEL: ${source}`);
  return expr;
};

describe("renameFields", () => {
  const rename = (source: string) =>
    renameFields(source, parsed(source), "variables", (field) => `${field}_1`);

  it.each([
    ["variables.a", "variables.a_1"],
    ["variables . a + variables\n.b", "variables . a_1 + variables\n.b_1"],
    [
      "has(variables.a.b) && variables.a.b == 'variables.a'",
      "has(variables.a_1.b) && variables.a_1.b == 'variables.a'",
    ],
    ["[1].all(x, variables.list.exists(y, y == x))", "[1].all(x, variables.list_1.exists(y, y == x))"],
    [
      "object.variables.a == variables.a // variables.b",
      "object.variables.a == variables.a_1 // variables.b",
    ],
    ["variables./* no comment */a", undefined],
  ])("%s", (source, expected) => {
    if (expected === undefined) expect(parseCel(source)).toBeUndefined();
    else expect(rename(source)).toBe(expected);
  });

  it.each([
    "variables",
    "[object].all(variables, variables.a == 1)",
    "cel.bind(variables, object, variables.a)",
    "variables.?a.hasValue()",
    "variables['a'] == 1",
    "variables.size() > 0",
  ])("cannot tell what %s means", (source) => {
    expect(rename(source)).toBeUndefined();
  });
});

describe("fragmentOf", () => {
  it("names the policy where an expression is quoted, and leaves a rule without conditions as it is", () => {
    expect(fragment("p", { validations: validations("object.data.a == 'b'") }).validations).toEqual([
      { expression: "'ShieldPolicy p' != '' && (object.data.a == 'b')", message: 'ShieldPolicy "p": m' },
    ]);
  });

  it("turns conditions and exceptions into one that stands in front of each rule", () => {
    const { variables, validations: rules } = fragment(
      "p",
      { matchConditions: [{ name: "mine", expression: "request.resource.group == '' // so be it" }] },
      [shieldException("e")],
    );
    expect(variables).toHaveLength(1);
    const [applies] = variables;
    expect(applies?.expression).toMatch(
      /^\(\(request\.requestResource\.group == '' && .*'namespaces'\) \|\| !\[object == null .*\) && \(request\.requestResource\.group == '' \/\/ so be it\n\)$/s,
    );
    expect(rules[0]?.expression).toContain(`variables.${applies?.name} ? (has(object.metadata.labels)`);
  });

  it("shares variables that say the same, and only those", () => {
    const spec = (expression: string): Spec => ({
      variables: [
        { name: "x", expression: "object.metadata.name" },
        { name: "y", expression },
      ],
      validations: validations("variables.y"),
    });
    const names = (text: string) => fragment("p", spec(text)).variables.map(({ name }) => name);
    expect(names("variables.x == 'a'")).toEqual(names("variables.x == 'a'"));
    expect(names("variables.x == 'a'")[0]).toBe(names("variables.x == 'b'")[0]);
    expect(names("variables.x == 'a'")[1]).not.toBe(names("variables.x == 'b'")[1]);
  });

  it("means another thing once an exception does", () => {
    const spec: Spec = {};
    expect(fragment("p", spec).digest).not.toBe(fragment("p", spec, [shieldException("e")]).digest);
    expect(fragment("p", spec).digest).toBe(fragment("p", spec).digest);
  });

  it.each<[string, Spec, RegExp]>([
    ["audit annotations", { auditAnnotations: [{ key: "k", valueExpression: "'v'" }] }, /audit annotations/],
    [
      "parameters",
      {
        paramKind: { apiVersion: "v1", kind: "ConfigMap" },
        paramRef: { name: "p", parameterNotFoundAction: "Allow" },
      },
      /parameters/,
    ],
    ["what does not compile", { validations: validations("object.a ==") }, /compile/],
    [
      "a condition about the namespace object",
      { matchConditions: [{ name: "m", expression: "namespaceObject == null" }] },
      /namespaceObject/,
    ],
    [
      "a condition about request as a whole",
      { matchConditions: [{ name: "m", expression: "[request].all(r, r.name != '')" }] },
      /as a whole/,
    ],
    [
      "an error that would be told more than once",
      {
        actions: { admission: "warn" },
        failurePolicy: "Fail",
        matchConditions: [{ name: "m", expression: "true" }],
        validations: validations("true", "true"),
      },
      /once for each/,
    ],
    [
      "costs without a bound where they can be used to get past others",
      { failurePolicy: "Ignore", validations: validations("object.data.a.lowerAscii() == 'x'") },
      /no bound/,
    ],
    [
      "a policy that may need most of a budget",
      { validations: validations(...Array.from({ length: 6 }, () => "lists.range(900).all(i, i >= 0)")) },
      /most of a cost budget/,
    ],
    [
      "what is nested too deeply with what goes around it",
      { validations: validations(`${"(".repeat(249)}true${")".repeat(249)}`) },
      /nested deeper/,
    ],
  ])("leaves alone %s", (_, spec, reason) => {
    expect(alone(spec)).toMatch(reason);
  });
});

describe("weightOf", () => {
  const weight = (source: string, failurePolicy: "Fail" | "Ignore" = "Ignore") =>
    weightOf(parsed(source), failurePolicy);

  it("is next to nothing without loops and long texts", () => {
    expect(weight("has(object.spec.hostNetwork) && object.spec.hostNetwork == true")).toBeLessThan(500);
  });

  it("is a whole limit for a loop where exhausting the budget gets somebody past others", () => {
    const loop = "object.spec.containers.all(c, c.image.startsWith('a/'))";
    expect(weight(loop)).toBeGreaterThanOrEqual(1_000_000);
    expect(weight(loop, "Fail")).toBeLessThan(310_000);
  });

  it("tells a loop within a loop that sees all of it again from one that goes through its own part", () => {
    expect(weight("object.a.all(x, x.ports.all(y, y > 0))", "Fail")).toBeLessThan(1_000_000);
    expect(weight("object.a.all(x, object.b.all(y, y > x))", "Fail")).toBe(1_000_000);
  });

  it("knows no bound for functions that may do anything", () => {
    expect(weight("object.a.replace('x', object.b) == 'c'")).toBeUndefined();
    expect(weight("object.a.matches('^[a-z]{1,60}$')")).toBeUndefined();
  });

  it("does not take long over loops that multiply", () => {
    let nested = "true";
    for (let depth = 0; depth < 20; depth++) nested = `[1, 2, 3, 4, 5, 6, 7, 8, 9].all(x${depth}, ${nested})`;
    expect(weight(nested)).toBeGreaterThan(1_000_000);
  });
});

describe("groupFragments", () => {
  const base = fragment("p");
  const fragments = (names: readonly string[], over: Partial<Fragment> = {}): Fragment[] =>
    names.map((policy) => ({ ...base, policy, ...over }));
  const names = (count: number) => Array.from({ length: count }, (_, at) => `policy-${at}`);
  const placeOf = ({ groups, alone: lone }: Grouping): Map<string, string> =>
    new Map([
      ...groups.flatMap(({ name, members }) => members.map(({ policy }) => [policy, name] as const)),
      ...lone.map((policy) => [policy, policy] as const),
    ]);

  it("leaves few policies as they are", () => {
    const few = names(FEWEST_TO_MERGE - 1);
    expect(groupFragments(fragments(few))).toEqual({ groups: [], alone: few });
    expect(groupFragments(fragments(names(FEWEST_TO_MERGE))).groups).toHaveLength(1);
  });

  it("puts two hundred into about ten, and none where its budget does not suffice", () => {
    const { groups, alone: lone } = groupFragments(fragments(names(200)));
    expect(groups.length + lone.length).toBeLessThan(16);
    const heavy = groupFragments(fragments(names(40), { weight: 2_000_000 }));
    for (const { members } of heavy.groups)
      expect(members.length * 2_000_000).toBeLessThanOrEqual(GROUP_BUDGET);
  });

  it("keeps apart what is about other requests, acts otherwise or fails otherwise", () => {
    const four = (over: Spec) => names(4).map((name) => fragment(name, over));
    const keys = [
      four({}),
      four({ failurePolicy: "Ignore" }),
      four({ actions: { admission: "warn" }, failurePolicy: "Fail" }),
      four({ matchConstraints: { ...celPolicy("p").spec.matchConstraints!, matchPolicy: "Exact" } }),
    ].map((each) => groupFragments(each).groups[0]?.name);
    expect(new Set(keys).size).toBe(4);
  });

  it("takes sets of words for sets, whatever their order", () => {
    const rule = celPolicy("p").spec.matchConstraints!.resourceRules![0]!;
    const over = (operations: typeof rule.operations): Spec => ({
      matchConstraints: { matchPolicy: "Equivalent", resourceRules: [{ ...rule, operations }] },
    });
    expect(fragment("p", over(["CREATE", "UPDATE"])).head.key).toBe(
      fragment("p", over(["UPDATE", "CREATE"])).head.key,
    );
  });

  it("loses none, needs no order, and moves few when one comes or goes", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/), { minLength: 1, maxLength: 150 }),
        (all) => {
          const place = placeOf(groupFragments(fragments(all)));
          expect([...place.keys()].sort()).toEqual([...all].sort());
          expect(placeOf(groupFragments(fragments([...all].reverse())))).toEqual(place);
          const fewer = placeOf(groupFragments(fragments(all.slice(1))));
          const moved = all.slice(1).filter((policy) => fewer.get(policy) !== place.get(policy));
          expect(moved.length).toBeLessThanOrEqual(33);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("mergeMembers", () => {
  const spec = (name: string): Spec => ({
    variables: [
      { name: "name", expression: "object.metadata.name" },
      { name: "own", expression: `variables.name + '-${name}'` },
    ],
    validations: validations(`variables.own != '${name}'`, "variables.name != 'x'"),
  });
  const members = ["a", "b", "c"].map((name) => fragment(name, spec(name)));
  const merged = mergeMembers("g", members[0]!.head, members.map(memberOf));

  it("compiles, and has a variable that all use once", () => {
    expect(merged.policy.spec.variables?.filter(({ name }) => name.startsWith("name_"))).toHaveLength(1);
    expect(merged.policy.spec.variables).toHaveLength(4);
    expect(() => compileCelRules(merged.policy.spec)).not.toThrow();
  });

  it("is owned by all, controlled by none", () => {
    expect(merged.policy.metadata.ownerReferences?.map(({ uid, controller }) => [uid, controller])).toEqual([
      ["uid-of-a", undefined],
      ["uid-of-b", undefined],
      ["uid-of-c", undefined],
    ]);
  });

  it("says whose a field is, by the path its author knows", () => {
    const own = members.map(memberOf);
    expect(ownersOfField(own, "spec.validations[3].messageExpression")).toEqual([
      { policy: "b", field: "spec.validations[1].messageExpression" },
    ]);
    expect(ownersOfField(own, "spec.variables[0].expression").map(({ policy }) => policy)).toEqual([
      "a",
      "b",
      "c",
    ]);
    expect(ownersOfField(own, "spec.variables[2].expression").map(({ policy }) => policy)).toEqual(["b"]);
    expect(ownersOfField(own, "spec.validations[6].expression")).toEqual([]);
    expect(ownersOfField(own, "metadata.name")).toEqual([]);
  });

  it("is read back, and not where somebody changed what it says of itself", () => {
    const read = membersOf(merged.policy) ?? [];
    expect(read.map(({ policy, uid, digest }) => [policy, uid, digest])).toEqual(
      members.map(({ policy, owner, digest }) => [policy, owner?.uid, digest]),
    );
    expect(read[1]?.validations).toEqual(members[1]?.validations);
    const saying = (text: string) =>
      membersOf({ ...merged.policy, metadata: { annotations: { "shieldx.io/members": text } } });
    for (const text of [
      "",
      "{",
      "{}",
      "[1]",
      '[["a","u","d",-1]]',
      '[["a","u","d",1]]',
      '[["a","u","d",1e9]]',
    ])
      expect(saying(text), text).toBeUndefined();
  });
});

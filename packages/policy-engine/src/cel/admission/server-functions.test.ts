import type { ShieldPolicySpec } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { introducedInMinor } from "../kubernetes/libraries.ts";
import { admissionLibraries } from "./libraries.ts";
import { newestMinor } from "./newest-function.ts";
import { describeMissing, missingOnServer } from "./server-functions.ts";

const specOf = (...expressions: string[]) =>
  ({
    engine: "cel",
    evaluation: "Auto",
    actions: { admission: "deny" },
    matchConstraints: {
      resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
    },
    validations: expressions.map((expression) => ({ expression })),
  }) as unknown as ShieldPolicySpec;
const missing = (expression: string, serverMinor: number) =>
  missingOnServer(specOf(expression), serverMinor)?.name;

describe("what a policy calls that the server lacks", () => {
  it.each([
    ["object.l.distinct().size() > 1", "distinct"],
    ["lists.range(2) == [0, 1]", "lists.range"],
    ["[[1]].flatten() == [1]", "flatten"],
    ["[1, 2].slice(0, 1) == [1]", "slice"],
    ["[1, 2].reverse() == [2, 1]", "reverse"],
    ["[2, 1].sort() == [1, 2]", "sort"],
    ["object.l.sortBy(e, e.name).size() == 1", "sortBy"],
    ["object.all(k, k == dyn(object).sort()[0])", "sort"],
  ])("is told of %s: what came with 1.34 is taken from 1.35 on", (expression, name) => {
    expect(missing(expression, 34)).toBe(name);
    expect(missing(expression, 35)).toBeUndefined();
  });

  it.each([
    ["'%d'.format([1]) == strings.quote('a')", 29, 30],
    ["quantity('1').isInteger()", 28, 29],
    ["optional.of(1).hasValue()", 28, 29],
    ["object.?a.orValue(1) == 1", 28, 29],
    ["sets.contains([1], [1])", 29, 30],
    ["isIP('::1')", 30, 31],
    ["cidr('::/8').containsIP('::1')", 30, 31],
    ["format.named('uri').hasValue()", 31, 32],
    ["[1].all(i, v, i < v)", 32, 33],
    ["{'a': 1}.transformMap(k, v, v + 1) == {'a': 2}", 32, 33],
    ["isSemver('1.0.0')", 33, 34],
  ])("is told by the same rule of what is older: %s", (expression, without, first) => {
    expect(missing(expression, without)).toEqual(expect.any(String));
    expect(missing(expression, first)).toBeUndefined();
  });

  it("is nothing in what every server has, and in what is wrong or unknown here", () => {
    for (const expression of [
      "object.metadata.name.indexOf('a') > 0 && [1].indexOf(1) == 0 && isURL('a') && 'a'.find('a') == 'a'",
      "object.all(k, object[k] > 1.5) && string(object.x) == 'a'",
      "object.l.distinct( == 1",
      "object.l.includes(1) && object.l.distinct() == []",
    ])
      expect(missing(expression, 34), expression).toBeUndefined();
    expect(missingOnServer({ ...specOf("true"), engine: "rego" }, 34)).toBeUndefined();
  });

  it("is the newest of all expressions, with its place", () => {
    const spec = {
      ...specOf("isSemver('1.0.0')", "variables.v.size() == 1"),
      variables: [{ name: "v", expression: "object.l.distinct()" }],
      matchConditions: [{ name: "c", expression: "isIP(object.metadata.name)" }],
    };
    const found = missingOnServer(spec, 30);
    expect(found).toEqual({ path: "spec.variables[0].expression", name: "distinct", minor: 34 });
    expect(found && describeMissing(found, 30)).toBe(
      "spec.variables[0].expression calls distinct, which came with Kubernetes 1.34 and which API servers take in policies from 1.35 on; this one is 1.30",
    );
  });

  it("is known of every function that policies may call", () => {
    const overloads = admissionLibraries.flatMap(({ functions }) =>
      functions.flatMap((declared) => declared.overloads.map(({ id }) => id)),
    );
    expect(overloads.filter((id) => introducedInMinor(id) === undefined)).toEqual([]);
    expect(newestMinor).toBe(34);
  });
});

import { describe, expect, it } from "vitest";
import { covers, labelSelectorText, planWatches, scopeOf } from "./plan.ts";

const kind = { apiVersion: "v1", kind: "ConfigMap" };
const named = (name: string, namespace?: string) => ({
  ...kind,
  name,
  ...(namespace === undefined ? {} : { namespace }),
});
const all = { namespace: undefined, name: undefined, labels: undefined };

describe("planWatches", () => {
  it("watches what is referred to, each once", () => {
    const selector = { matchLabels: { b: "2", a: "1" } };
    expect(planWatches([named("x"), named("x"), named("x", "n"), { ...kind, selector }])).toEqual([
      { ...all, name: "x" },
      { ...all, labels: "a=1,b=2" },
      { ...all, namespace: "n", name: "x" },
    ]);
  });

  it("takes all of the kind, or of a namespace, where much of it is wanted", () => {
    const many = (namespace?: string) => Array.from({ length: 9 }, (_, i) => named(`n${i}`, namespace));
    expect(planWatches(many())).toEqual([all]);
    expect(planWatches([...many("n"), named("x")])).toEqual([
      { ...all, namespace: "n" },
      { ...all, name: "x" },
    ]);
    expect(planWatches(many().slice(1))).toHaveLength(8);
    expect(planWatches([named("x"), kind])).toEqual([all]);
    expect(planWatches([named("x"), { ...kind, selector: {} }])).toEqual([all]);
  });
});

it("writes a label selector as the API server reads it", () => {
  const matchExpressions = [
    { key: "tier", operator: "In", values: ["b", "a"] },
    { key: "x", operator: "NotIn", values: ["1"] },
    { key: "y", operator: "Exists" },
    { key: "z", operator: "DoesNotExist" },
  ];
  expect(labelSelectorText({ matchLabels: { app: "web" }, matchExpressions })).toBe(
    "!z,app=web,tier in (a,b),x notin (1),y",
  );
  expect(labelSelectorText({})).toBe("");
});

it("tells what a watch covers", () => {
  expect(covers(all, scopeOf(named("x", "n")))).toBe(true);
  expect(covers(scopeOf(named("x")), scopeOf(named("x", "n")))).toBe(true);
  expect(covers(scopeOf(named("x", "n")), scopeOf(named("x")))).toBe(false);
  expect(covers(scopeOf(named("x")), scopeOf(named("y")))).toBe(false);
});

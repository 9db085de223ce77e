import { expect, it } from "vitest";
import { type ParamObjects, type ParamReference, paramFinder } from "./params.ts";

const object = (namespace: string, name: string, labels = {}) => ({ metadata: { namespace, name, labels } });
const all = [
  object("a", "second", { set: "x" }),
  object("a", "first", { set: "x" }),
  object("a", "other", { set: "y" }),
  object("b", "first", { set: "x" }),
];
const known = (isNamespaced = true): ParamObjects => ({
  state: "known",
  isNamespaced,
  get: (namespace, name) =>
    all.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name),
  list: (namespace) => all.filter(({ metadata }) => metadata.namespace === namespace),
});
const kind = { apiVersion: "v1", kind: "ConfigMap" };
const find = (chosen: Partial<ParamReference>, namespace: string, found: ParamObjects = known()) => {
  const params = paramFinder({ ...kind, ...chosen })(() => found, namespace);
  return "problem" in params
    ? params.problem
    : (params.objects as typeof all).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
};
const selector = { matchLabels: { set: "x" } };

it.each<[string, Partial<ParamReference>, string, string[]]>([
  ["by name, in the request's namespace", { name: "first" }, "b", ["b/first"]],
  ["by name, in the namespace given", { name: "first", namespace: "a" }, "b", ["a/first"]],
  ["by name, where there is none of it", { name: "second" }, "b", []],
  ["by label, in the order of names", { selector }, "a", ["a/first", "a/second"]],
  ["by label, in the namespace given", { selector, namespace: "b" }, "a", ["b/first"]],
  ["all, by an empty selector", { selector: {} }, "b", ["b/first"]],
  ["by name, for an object without namespace", { name: "first", namespace: "a" }, "", ["a/first"]],
])("finds parameters %s", (_, chosen, namespace, expected) => {
  expect(find(chosen, namespace)).toEqual(expected);
});

it("says what is wrong in the API server's words", () => {
  expect(find({ name: "x" }, "")).toBe(
    "failed to configure binding: cannot use namespaced paramRef in policy binding that matches cluster-scoped resources",
  );
  expect(find({ name: "x", namespace: "a" }, "", known(false))).toBe(
    "failed to configure binding: paramRef.namespace must not be provided for a cluster-scoped `paramKind`",
  );
  expect(find({ name: "x" }, "a", { state: "notServed" })).toBe(
    "failed to configure policy: failed to find resource referenced by paramKind: '/v1, Kind=ConfigMap'",
  );
  expect(find({ apiVersion: "x.io/v1", name: "x" }, "a", { state: "notServed" })).toContain(
    "'x.io/v1, Kind=ConfigMap'",
  );
  expect(find({ name: "x" }, "a", { state: "unknown", problem: "not read yet" })).toBe(
    "failed to configure binding: not read yet",
  );
  expect(paramFinder({ ...kind, name: "x" })(undefined, "a")).toEqual({
    problem: "failed to configure binding: there is no cluster to look for parameters in",
  });
});

it("takes a cluster-scoped kind without a namespace, whatever the request's", () => {
  const cluster: ParamObjects = {
    state: "known",
    isNamespaced: false,
    get: (namespace, name) => (namespace === "" && name === "x" ? object("", "x") : undefined),
    list: () => [],
  };
  expect(find({ name: "x" }, "a", cluster)).toEqual(["/x"]);
});

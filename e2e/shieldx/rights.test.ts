import { describe, expect, it } from "vitest";
import { account, type DeclaredRight, type UsedRight } from "./rights.ts";

const right = (over: Partial<DeclaredRight>): DeclaredRight => ({
  scope: "cluster",
  group: "",
  resource: "pods",
  verb: "list",
  name: undefined,
  ...over,
});
const request = (over: Partial<UsedRight>): UsedRight => ({
  group: "",
  resource: "pods",
  verb: "list",
  name: undefined,
  namespace: undefined,
  isForbidden: false,
  ...over,
});
const everybodys = [
  { apiGroups: ["authorization.k8s.io"], resources: ["selfsubjectrulesreviews"], verbs: ["create"] },
];
const hold = (declared: DeclaredRight[], used: UsedRight[]) => account(declared, used, everybodys, "own");

describe("account", () => {
  it("finds nothing to say where every right is used and every request declared", () => {
    const asks = request({
      group: "authorization.k8s.io",
      resource: "selfsubjectrulesreviews",
      verb: "create",
    });
    expect(hold([right({})], [request({}), asks])).toEqual({ undeclared: [], unused: [], requests: 2 });
  });

  it("names a right nobody used, to the verb and the object's name", () => {
    const secrets = { scope: "namespace", resource: "secrets", verb: "get" } as const;
    const declared = [right({ ...secrets, name: "a" }), right({ ...secrets, name: "b" })];
    const used = [request({ resource: "secrets", verb: "get", name: "a", namespace: "own" })];
    expect(hold(declared, used).unused).toEqual(["get secrets b (namespace)"]);
  });

  it("names a request that was refused, and one that only a foreign role allowed", () => {
    const refused = request({ verb: "delete", name: "x", namespace: "default", isForbidden: true });
    const foreign = request({ group: "apps", resource: "deployments", verb: "watch" });
    expect(hold([right({})], [request({}), refused, foreign]).undeclared).toEqual([
      "delete pods x in default",
      "watch deployments.apps in the cluster",
    ]);
  });

  it("does not take a right in the whole cluster for used where one in the own namespace would do", () => {
    const both = [right({}), right({ scope: "namespace" })];
    expect(hold(both, [request({ namespace: "own" })]).unused).toEqual(["list pods (cluster)"]);
    expect(hold(both, [request({}), request({ namespace: "own" })]).unused).toEqual([]);
    expect(hold([right({ scope: "namespace" })], [request({ namespace: "other" })])).toMatchObject({
      undeclared: ["list pods in other"],
      unused: ["list pods (namespace)"],
    });
  });
});

import {
  asShieldPolicy,
  type NamespacedShieldPolicy,
  parseShieldPolicy,
  type ShieldPolicy,
} from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { Inventory } from "../../inventory/index.ts";
import { buildPolicySet } from "../build.ts";
import { inventoryAtHand } from "../inventory.ts";
import type { EvaluationContext, PolicySet } from "../policy-set.ts";
import type { AdmissionRequestLike } from "../request.ts";
import { inventoryOfNamespace } from "./own-namespace.ts";
import { TenantTime } from "./time.ts";

const about = (resources = ["configmaps"], operations = ["CREATE", "UPDATE", "DELETE"]) => ({
  resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations, resources }],
});
const tenant = (namespace: string, spec: object = {}, name = "own"): ShieldPolicy =>
  asShieldPolicy({
    apiVersion: "shieldx.io/v1alpha1",
    kind: "NamespacedShieldPolicy",
    metadata: { name, namespace, uid: `${namespace}-${name}`, generation: 1 },
    spec: {
      engine: "cel",
      matchConstraints: about(),
      validations: [{ expression: "false", message: "the tenant says no" }],
      actions: { admission: "deny" },
      ...spec,
    },
  } as unknown as NamespacedShieldPolicy);
const ofCluster = (spec: object = {}): ShieldPolicy =>
  parseShieldPolicy({
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldPolicy",
    metadata: { name: "platform" },
    spec: {
      engine: "cel",
      evaluation: "Webhook",
      matchConstraints: about(),
      validations: [{ expression: "has(object.data)", message: "the platform wants data" }],
      actions: { admission: "deny" },
      ...spec,
    },
  });
const setOf = (...policies: ShieldPolicy[]): PolicySet => {
  const set = buildPolicySet({ policies, exceptions: [], serverMinor: 37 });
  expect(set.problems).toEqual([]);
  return set;
};
const request = (namespace: string, more: Partial<AdmissionRequestLike> = {}): AdmissionRequestLike => ({
  uid: "",
  kind: { group: "", version: "v1", kind: "ConfigMap" },
  resource: { group: "", version: "v1", resource: "configmaps" },
  name: "c",
  namespace,
  operation: "CREATE",
  userInfo: { username: "jane" },
  object: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c", namespace } },
  ...more,
});
const ask = (set: PolicySet, asked: AdmissionRequestLike, more: Partial<EvaluationContext> = {}) =>
  set.evaluate(asked, {
    namespaceLabels: {},
    namespaceObject: { apiVersion: "v1", kind: "Namespace", metadata: { name: asked.namespace } },
    now: 0,
    ...more,
  });

describe("a tenant's policy", () => {
  it("refuses in its namespace, under its own name, and nowhere else", () => {
    const set = setOf(tenant("shop"));
    expect(ask(set, request("shop")).denials).toMatchObject([
      {
        policy: "shop/own",
        message: 'NamespacedShieldPolicy "shop/own" refuses ConfigMap "shop/c": the tenant says no',
      },
    ]);
    for (const namespace of ["other", "", "kube-system"])
      expect(ask(set, request(namespace)).allowed).toBe(true);
  });

  it("is never about a Namespace or a cluster-scoped object, whatever its rules say", () => {
    const set = setOf(tenant("shop", { matchConstraints: about(["persistentvolumes", "nodes"]) }));
    const resource = { group: "", version: "v1", resource: "namespaces" };
    const kind = { group: "", version: "v1", kind: "Namespace" };
    const object = { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } };
    expect(ask(set, request("shop", { resource, kind, name: "shop", object })).matched).toEqual([]);
    const volumes = { group: "", version: "v1", resource: "persistentvolumes" };
    expect(ask(set, request("", { resource: volumes })).matched).toEqual([]);
  });

  it("adds to what the cluster refuses, and takes nothing from it", () => {
    const set = setOf(tenant("shop", { validations: [{ expression: "true" }] }), ofCluster());
    expect(ask(set, request("shop")).denials).toMatchObject([{ policy: "platform" }]);
    const both = setOf(tenant("shop"), ofCluster());
    expect(ask(both, request("shop")).denials).toMatchObject([
      { policy: "platform" },
      { policy: "shop/own" },
    ]);
  });

  it("does not stand in for a policy of the cluster of the same name", () => {
    const named = { ...tenant("shop"), metadata: { name: "shop/platform", uid: "t" } };
    const set = setOf(named, ofCluster());
    expect(set.policy("platform")?.source.metadata.name).toBe("platform");
    expect(set.policies).toHaveLength(2);
  });

  it.each([
    ["system:serviceaccount:kube-system:generic-garbage-collector"],
    ["system:node:one"],
    ["system:kube-scheduler"],
  ])("does not hold up %s in what it changes or deletes", (username) => {
    const set = setOf(tenant("shop"));
    const userInfo = { username };
    const { object } = request("shop");
    expect(
      ask(set, request("shop", { userInfo, operation: "DELETE", object: null, oldObject: object })).allowed,
    ).toBe(true);
    expect(ask(set, request("shop", { userInfo, operation: "UPDATE", oldObject: object })).allowed).toBe(
      true,
    );
    expect(ask(set, request("shop", { userInfo })).allowed).toBe(false);
  });

  it("holds up people, but for those who look like a component", () => {
    const set = setOf(tenant("shop"));
    const { object } = request("shop");
    for (const username of [
      "jane",
      "system:serviceaccount:shop:kube-system",
      "system:nodes",
      "xsystem:node:a",
    ])
      expect(
        ask(
          set,
          request("shop", { userInfo: { username }, operation: "DELETE", object: null, oldObject: object }),
        ).allowed,
        username,
      ).toBe(false);
  });

  it("lets everything go in a namespace that is being deleted", () => {
    const set = setOf(tenant("shop"));
    const { object } = request("shop");
    const deletion = request("shop", { operation: "DELETE", object: null, oldObject: object });
    const metadata = { name: "shop", deletionTimestamp: "2027-01-01T00:00:00Z" };
    expect(ask(set, deletion, { namespaceObject: { metadata } }).allowed).toBe(true);
  });

  it("is held against what exists in its namespace", () => {
    const set = setOf(tenant("shop", { actions: { admission: "off", background: "audit" } }));
    const object = (namespace: string) => ({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "c", namespace },
    });
    const resource = { group: "", version: "v1", resource: "configmaps" };
    const judge = (namespace: string) =>
      set.judge(object(namespace), { namespaceLabels: {}, now: 0, resource });
    expect(judge("shop").findings).toMatchObject([{ policy: "shop/own" }]);
    expect(judge("other").findings).toEqual([]);
  });

  it("gets no say once its namespace has used up its time, nor does the cluster lose any", () => {
    const time = new TenantTime(() => 0);
    const set = setOf(tenant("shop"), tenant("shop", { failurePolicy: "Ignore" }, "lax"), ofCluster());
    time.used("shop", 501);
    const { denials, audits } = ask(set, request("shop"), { tenants: { time } });
    expect(denials).toMatchObject([{ policy: "platform" }, { policy: "shop/own", code: "DeadlineExceeded" }]);
    expect(denials[1]?.message).toContain("more time than is their share");
    expect(audits).toMatchObject([{ policy: "shop/lax", code: "DeadlineExceeded" }]);
  });

  it("has its time counted", () => {
    let clock = 0;
    const taken: number[] = [];
    const time = { isUsedUp: () => false, used: (_: string, ms: number) => taken.push(ms) };
    const set = setOf(tenant("shop"));
    ask(set, request("shop"), {
      tenants: { time: time as unknown as TenantTime },
      monotonicNow: () => clock++,
    });
    expect(taken.reduce((sum, ms) => sum + ms, 0)).toBeGreaterThan(0);
  });

  it("asks nobody outside", () => {
    const policy = tenant("shop", { validations: [{ expression: "request.userInfo.username == 'jane'" }] });
    const verdict = ask(setOf(policy), request("shop"), {
      authorize: () => {
        throw new Error("asked");
      },
    });
    expect(verdict).toMatchObject({ allowed: true, asks: [] });
  });
});

describe("what a tenant sees of the inventory", () => {
  const inventory = new Inventory();
  for (const namespace of ["shop", "other", "__proto__"])
    inventory.put({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "c", namespace },
      data: { of: namespace },
    });
  inventory.put({ apiVersion: "v1", kind: "Node", metadata: { name: "n" } });
  const asked: unknown[] = [];
  const whole = inventoryAtHand(inventory.documents, (reference) => {
    asked.push(reference);
    return { state: "known", isNamespaced: true, get: () => undefined, list: () => [] };
  });

  it("is what is in his namespace, and that alone", () => {
    const { documents } = inventoryOfNamespace(whole, "shop");
    const seen = JSON.stringify(documents);
    expect(seen).toContain('"of":"shop"');
    expect(seen).not.toContain("other");
    expect(seen).not.toContain("Node");
  });

  it.each(["nowhere", "constructor", "toString", "hasOwnProperty"])("is nothing in %s", (namespace) => {
    expect(JSON.parse(JSON.stringify(inventoryOfNamespace(whole, namespace).documents))).toEqual({
      inventory: { cluster: {}, namespace: {} },
    });
  });

  it("takes __proto__ for a namespace like any other", () => {
    const { documents } = inventoryOfNamespace(whole, "__proto__");
    expect(JSON.stringify(documents)).toContain('"of":"__proto__"');
  });

  it("is looked for in his namespace", () => {
    inventoryOfNamespace(whole, "shop").problem({ apiVersion: "v1", kind: "ConfigMap" });
    expect(asked).toEqual([{ apiVersion: "v1", kind: "ConfigMap", namespace: "shop" }]);
  });
});

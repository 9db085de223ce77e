import { silentLogger } from "@shieldx/controller-runtime";
import type { PolicySet, RegoPolicyParts, RegoPolicyState } from "@shieldx/policy-engine";
import { Registry } from "prom-client";
import { describe, expect, it, vi } from "vitest";
import { AdmissionMetrics } from "../admission/metrics.ts";
import type { NamespacedShieldPolicyObject, ShieldExceptionObject, ShieldPolicyObject } from "../names.ts";
import { PolicyLoader, type PolicyLoaderParts } from "./policy-loader.ts";
import { fakeInformer } from "./process.test-kit.ts";

const idleRego: PolicyLoaderParts["rego"] = {
  want: () => {},
  state: () => ({ kind: "compiling" }),
  isSettled: true,
  onChange: () => {},
};

/** Programs that come when a test says so; each refuses with the text of its module. */
class SlowRego implements SettledRego {
  readonly compiled = new Set<string>();
  #wanted: readonly RegoPolicyParts[] = [];
  #listener: () => void = () => {};
  want(policies: Iterable<RegoPolicyParts>): void {
    this.#wanted = [...policies].filter(({ engine }) => engine === "rego");
  }
  readonly state = ({ rego }: RegoPolicyParts): RegoPolicyState => {
    const module = rego?.module ?? "";
    if (!this.compiled.has(module)) return { kind: "compiling" };
    return { kind: "ready", program: { entrypoint: "data.a.deny", rule: "deny", evaluate: () => [module] } };
  };
  get isSettled(): boolean {
    return this.#wanted.every((policy) => this.state(policy).kind === "ready");
  }
  onChange(listener: () => void): void {
    this.#listener = listener;
  }
  compile(module: string): void {
    this.compiled.add(module);
    this.#listener();
  }
}
type SettledRego = PolicyLoaderParts["rego"];

describe("the policy loader", () => {
  const policy = (
    name: string,
    generation: number,
    level = "baseline",
    more: object = {},
  ): ShieldPolicyObject =>
    ({
      apiVersion: "shieldx.io/v1alpha1",
      kind: "ShieldPolicy",
      metadata: { name, uid: name, generation, ...more },
      spec: {
        engine: "podSecurity",
        podSecurity: { level },
        actions: { admission: "deny" },
        evaluation: "Auto",
      },
    }) as unknown as ShieldPolicyObject;

  function setUp(rego: PolicyLoaderParts["rego"] = idleRego, more: Partial<PolicyLoaderParts> = {}) {
    const policies = fakeInformer<ShieldPolicyObject>();
    const tenantPolicies = fakeInformer<NamespacedShieldPolicyObject>();
    const exceptions = fakeInformer<ShieldExceptionObject>();
    const swaps: PolicySet[] = [];
    const warnings: string[] = [];
    const loader = new PolicyLoader({
      policies: policies.informer,
      tenantPolicies: tenantPolicies.informer,
      exceptions: exceptions.informer,
      serverMinor: () => 37,
      neverJudged: [],
      rego,
      metrics: new AdmissionMetrics(new Registry()),
      logger: { ...silentLogger, warn: (_, message) => warnings.push(message) },
      onSwap: (set) => swaps.push(set),
      coalesceMs: 0,
      coalesceTenantsMs: 0,
      ...more,
    });
    return { policies, tenantPolicies, exceptions, swaps, warnings, loader };
  }
  const quiet = () => new Promise((done) => setTimeout(done, 10));

  it("has no set before both caches are full, then swaps once for many changes", async () => {
    const bed = setUp();
    bed.exceptions.sync(false);
    bed.policies.set(policy("a", 1));
    await quiet();
    expect(bed.loader.current).toBeUndefined();
    bed.exceptions.sync(true);
    for (let i = 0; i < 50; i++) bed.policies.set(policy(`p${i}`, 1));
    await vi.waitFor(() => expect(bed.swaps).toHaveLength(1));
    expect(bed.loader.current?.policies).toHaveLength(51);
  });

  const tenantPolicy = (name: string, generation: number) =>
    ({
      apiVersion: "shieldx.io/v1alpha1",
      kind: "NamespacedShieldPolicy",
      metadata: { name, namespace: "shop", uid: name, generation },
      spec: { engine: "podSecurity", podSecurity: { level: "restricted" }, actions: { admission: "deny" } },
    }) as unknown as NamespacedShieldPolicyObject;

  it("takes tenants' policies in by namespace and name, up to the bound, and says of which it does not", async () => {
    const bed = setUp();
    bed.policies.set(policy("own", 1));
    for (let at = 0; at < 33; at++)
      bed.tenantPolicies.set(tenantPolicy(`p${String(at).padStart(2, "0")}`, 1));
    await vi.waitFor(() => expect(bed.loader.current?.policies).toHaveLength(33));
    expect(bed.loader.current?.policy("shop/p00")?.match).toBeDefined();
    expect(bed.loader.current?.policy("shop/p32")).toBeUndefined();
    expect(bed.warnings).toEqual([expect.stringContaining("more than 32 NamespacedShieldPolicies")]);
    bed.loader.stop();
  });

  it("builds for tenants later, and for the cluster at once all the same", async () => {
    const bed = setUp(idleRego, { coalesceTenantsMs: 60_000 });
    bed.tenantPolicies.set(tenantPolicy("own", 1));
    await quiet();
    expect(bed.loader.current).toBeUndefined();
    bed.policies.set(policy("a", 1));
    await vi.waitFor(() => expect(bed.loader.current?.policies).toHaveLength(2));
    bed.loader.stop();
  });

  it("does not build for status, and does for a new generation and a deletion", async () => {
    const bed = setUp();
    bed.policies.set(policy("a", 1));
    await quiet();
    bed.policies.set({ ...policy("a", 1), status: {} } as ShieldPolicyObject);
    await quiet();
    expect(bed.swaps).toHaveLength(1);
    bed.policies.set(policy("a", 2));
    await quiet();
    bed.policies.remove("a");
    await quiet();
    expect(bed.swaps.map(({ policies }) => policies.length)).toEqual([1, 1, 0]);
    bed.loader.stop();
  });

  const regoPolicy = (name: string, generation: number, module: string): ShieldPolicyObject => {
    const rules = { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] };
    const spec = {
      engine: "rego",
      rego: { module, version: "v1" },
      matchConstraints: { resourceRules: [rules] },
      actions: { admission: "deny" },
      evaluation: "Auto",
    };
    return { ...policy(name, generation), spec } as unknown as ShieldPolicyObject;
  };

  it("has no set before all policies in Rego are compiled, and later waits for none of them", async () => {
    const rego = new SlowRego();
    const bed = setUp(rego);
    bed.policies.set(policy("a", 1));
    bed.policies.set(regoPolicy("b", 1, "one"));
    bed.policies.set(regoPolicy("c", 1, "two"));
    rego.compile("one");
    await quiet();
    expect(bed.loader.current).toBeUndefined();
    rego.compile("two");
    await quiet();
    expect(bed.loader.current?.policies.map(({ name }) => name)).toEqual(["a", "b", "c"]);

    bed.policies.set(regoPolicy("b", 2, "three"));
    bed.policies.set(regoPolicy("d", 1, "four"));
    bed.policies.set(policy("e", 1));
    await quiet();
    const generations = () =>
      bed.loader.current?.policies.map(({ name, generation }) => `${name}${generation}`);
    expect(generations()).toEqual(["a1", "b1", "c1", "e1"]);
    expect(bed.warnings).toEqual([]);
    rego.compile("three");
    rego.compile("four");
    await quiet();
    expect(generations()).toEqual(["a1", "b2", "c1", "d1", "e1"]);
    expect(bed.loader.current?.kept).toEqual([]);
  });

  it("keeps the last good version of a policy that broke, and says so once", async () => {
    const bed = setUp();
    bed.policies.set(policy("a", 1));
    await quiet();
    bed.policies.set(policy("a", 2, "paranoid"));
    await quiet();
    bed.policies.set(policy("b", 1));
    await quiet();
    expect(bed.loader.current?.policy("a")?.generation).toBe(1);
    expect(bed.warnings).toHaveLength(1);
    expect(bed.warnings[0]).toMatch(/spec\.podSecurity\.level/);
  });
});

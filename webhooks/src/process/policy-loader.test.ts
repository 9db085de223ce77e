import { silentLogger } from "@shieldx/controller-runtime";
import type { PolicySet } from "@shieldx/policy-engine";
import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import { AdmissionMetrics } from "../admission/metrics.ts";
import type { ShieldExceptionObject, ShieldPolicyObject } from "../names.ts";
import { PolicyLoader } from "./policy-loader.ts";
import { fakeInformer } from "./process.test-kit.ts";

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

  function setUp() {
    const policies = fakeInformer<ShieldPolicyObject>();
    const exceptions = fakeInformer<ShieldExceptionObject>();
    const swaps: PolicySet[] = [];
    const warnings: string[] = [];
    const loader = new PolicyLoader({
      policies: policies.informer,
      exceptions: exceptions.informer,
      serverMinor: () => 37,
      neverJudged: [],
      rego: { want: () => {}, state: () => ({ kind: "compiling" }), isSettled: true, onChange: () => {} },
      metrics: new AdmissionMetrics(new Registry()),
      logger: { ...silentLogger, warn: (_, message) => warnings.push(message) },
      onSwap: (set) => swaps.push(set),
      coalesceMs: 0,
    });
    return { policies, exceptions, swaps, warnings, loader };
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
    await quiet();
    expect(bed.swaps).toHaveLength(1);
    expect(bed.loader.current?.policies).toHaveLength(51);
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

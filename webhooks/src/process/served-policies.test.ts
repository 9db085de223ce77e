import { ManualClock, silentLogger } from "@shieldx/controller-runtime";
import { describe, expect, it, vi } from "vitest";
import type { ShieldPolicyObject } from "../names.ts";
import { fakeInformer } from "./process.test-kit.ts";
import { ServedPolicies, type ServedPoliciesParts } from "./served-policies.ts";

const served = (name: string, rego: object): ShieldPolicyObject =>
  ({
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldPolicy",
    metadata: { name, uid: name, generation: 1 },
    spec: { engine: "rego", actions: { admission: "off", http: "serve" }, rego },
  }) as unknown as ShieldPolicyObject;

type Compile = ServedPoliciesParts["rego"]["compiler"]["compile"];
const refusing: Compile = async () => [
  { ok: false, digest: "", problems: [{ code: "rego_parse_error", message: "unexpected }" }] },
];

function setUp(compile: Compile) {
  const policies = fakeInformer<ShieldPolicyObject>();
  const subject = new ServedPolicies({
    policies: policies.informer,
    rego: {
      compiler: { compile, check: async () => {} },
      wantServed: () => {},
      bundle: () => ({ kind: "fetching", failure: undefined }),
      onChange: () => {},
      areServedSettled: true,
    },
    clock: new ManualClock(),
    logger: silentLogger,
    onChange: () => {},
  });
  return { policies, subject };
}

describe("policies that are served", () => {
  it.each([
    ["package system.log\nmask contains 1 if {", true],
    ["package system\nlog.mask contains 1 if {", true],
    ["package system.log.mask\nx if {", true],
    ["packag", true],
    ["package app\nallow if {", false],
    ["package system.health\nlive if {", false],
  ])("know that one which is not served may mask the log: %j", async (module, mayMask) => {
    const { policies, subject } = setUp(refusing);
    policies.set(served("p", { module }));
    await subject.settled();
    expect(subject.problem).toContain("p");
    expect(subject.unservedMask).toBe(mayMask ? "p" : undefined);
    policies.remove("p");
    await subject.settled();
    expect(subject.unservedMask).toBeUndefined();
    subject.stop();
  });

  it("know it while it is compiled for the first time, and of a bundle that has not come", async () => {
    const compiling = Promise.withResolvers<Awaited<ReturnType<Compile>>>();
    const { policies, subject } = setUp(() => compiling.promise);
    policies.set(served("masks", { module: "package system.log\nmask := []" }));
    await vi.waitFor(() => expect(subject.source).toBeDefined(), { timeout: 20_000, interval: 1 });
    expect(subject.unservedMask).toBe("masks");
    policies.remove("masks");
    policies.set(served("bundled", { bundle: { url: "https://bundles.example/b.tar.gz" } }));
    compiling.resolve([]);
    await subject.settled();
    expect(subject.unservedMask).toBe("bundled");
    subject.stop();
  });

  it("outlive a defect of ours about one of them", async () => {
    const { policies, subject } = setUp(async () => {
      throw new TypeError("a defect");
    });
    policies.set(served("p", { module: "package app\nallow := true" }));
    await subject.settled();
    expect(subject.problem).toContain("a defect");
    subject.stop();
  });
});

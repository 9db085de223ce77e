import { ANNOTATION, formatKeptPolicies } from "@shieldx/crds";
import { buildPolicySet, type PolicySet, type RegoPolicyState } from "@shieldx/policy-engine";
import { beforeEach, describe, expect, it } from "vitest";
import { asPolicy, type ShieldPolicyObject } from "./kinds.ts";
import { memberOf, PolicyWorld } from "./policy-world.ts";
import type { ReplicaLease } from "./replicas.ts";

const now = Date.parse("2026-01-01T00:00:00Z");

function policy(name: string, generation = 1, engine = "podSecurity"): ShieldPolicyObject {
  return {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldPolicy",
    metadata: { name, uid: `uid-${name}`, generation },
    spec: { engine, actions: { admission: "deny" }, podSecurity: { level: "baseline" } },
  } as unknown as ShieldPolicyObject;
}

const idle = {
  want: () => {},
  state: () => ({ kind: "compiling" }) as const,
  outdated: () => undefined,
  onChange: () => {},
};

/** As stored; the module is its own message. */
function regoPolicy(name: string, generation: number, module: string): ShieldPolicyObject {
  const rules = { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] };
  return {
    ...policy(name, generation),
    spec: {
      engine: "rego",
      evaluation: "Auto",
      rego: { module, version: "v1" },
      matchConstraints: { resourceRules: [rules] },
      actions: { admission: "deny" },
    },
  } as unknown as ShieldPolicyObject;
}

describe("what is known of replicas while a policy does not compile", () => {
  let policies: ShieldPolicyObject[];
  let leases: ReplicaLease[];
  beforeEach(() => {
    policies = [policy("good"), policy("bad")];
    leases = [];
  });
  const world = (rego: ConstructorParameters<typeof PolicyWorld>[0]["rego"] = idle) =>
    new PolicyWorld({
      sources: { policies: () => policies, exceptions: () => [], leases: () => leases },
      serverMinor: 37,
      ownNamespaces: [],
      rego,
    });
  const load = (previous?: PolicySet) =>
    buildPolicySet({ policies: policies.map(asPolicy), exceptions: [], serverMinor: 37, previous });
  const report = (name: string, set: PolicySet): ReplicaLease => {
    const kept = formatKeptPolicies(set.kept);
    return {
      metadata: {
        name,
        uid: name,
        annotations: {
          [ANNOTATION.policySetDigest]: set.digest,
          ...(kept === undefined ? {} : { [ANNOTATION.keptPolicies]: kept }),
        },
      },
      spec: { renewTime: new Date(now).toISOString(), holderIdentity: name },
    };
  };

  it("recognises replicas that keep it and replicas that never had it, also when it starts itself only then", () => {
    const before = load();
    const inTime = world();
    inTime.current();
    policies = [policy("good"), policy("bad", 2, "nonsense"), policy("young")];
    inTime.invalidate();
    leases = [report("keeps", load(before)), report("restarted", load())];
    const [good, bad, young] = policies.map(memberOf);
    if (good === undefined || bad === undefined || young === undefined) throw new Error("three policies");
    for (const each of [inTime, world()]) {
      const live = each.liveReplicas(now);
      expect(live.map((replica) => each.isCurrent(replica))).toEqual([true, true]);
      expect(each.loadedBy(live, [good])).toBe(2);
      expect(each.loadedBy(live, [young])).toBe(2);
      expect(each.loadedBy(live, [bad])).toBe(0);
      expect(each.loadedBy(live, [{ ...bad, generation: 1 }])).toBe(1);
    }
    for (const each of [inTime, world()]) {
      const live = each.liveReplicas(now);
      expect(each.keptBy(live)).toMatchObject([
        { name: "bad", generation: 1, calls: { failurePolicy: "Fail" } },
      ]);
      expect(each.mayKeepMore(live)).toBe(false);
    }
  });

  it("does not count a replica that has read a policy, and not yet that it is to judge by it", () => {
    const { rego: _, ...specs } = regoPolicy("auto", 1, "").spec as unknown as Record<string, unknown>;
    const auto = (enforcedBy?: "Webhook") =>
      ({
        ...policy("auto"),
        spec: { ...specs, engine: "cel", validations: [{ expression: "false" }] },
        ...(enforcedBy === undefined ? {} : { status: { enforcedBy } }),
      }) as unknown as ShieldPolicyObject;
    policies = [auto()];
    const before = load();
    const observer = world();
    observer.current();
    policies = [auto("Webhook")];
    observer.invalidate();
    leases = [report("late", before), report("current", load(before))];
    const live = observer.liveReplicas(now);
    expect(policies.map((each) => observer.loadedBy(live, [memberOf(each)]))).toEqual([1]);
  });

  it("expects more of replicas that have not taken in what broke, or cannot say all; nothing of those that are gone", () => {
    const before = load();
    const late = report("late", before);
    policies = [policy("good"), policy("bad", 2, "nonsense")];
    leases = [report("keeps", load(before)), late];
    const started = world();
    expect(started.mayKeepMore(started.liveReplicas(now))).toBe(true);
    expect(started.mayKeepMore([])).toBe(false);
    const [keeps] = started.liveReplicas(now);
    expect(started.mayKeepMore([keeps!])).toBe(false);
    expect(started.mayKeepMore([{ ...keeps!, kept: { policies: [], more: 1 } }])).toBe(true);
    expect(started.countKeeping(started.liveReplicas(now), { name: "bad", uid: "uid-bad" })).toBe(1);
    for (const never of [policy("bad", 3), policy("bad", 1, "nonsense")]) {
      policies = [policy("good"), never];
      started.invalidate();
      expect(started.mayKeepMore(started.liveReplicas(now))).toBe(false);
    }
  });

  it("takes a version it has not compiled yet for held by replicas that have, and leaves their calls alone", () => {
    policies = [policy("good"), regoPolicy("slow", 1, "one")];
    const ready: RegoPolicyState = {
      kind: "ready",
      program: { entrypoint: "data.a.deny", rule: "deny", evaluate: () => [] },
    };
    const set = buildPolicySet({
      policies: policies.map(asPolicy),
      exceptions: [],
      serverMinor: 37,
      rego: () => ready,
    });
    expect(set.problems).toEqual([]);
    leases = [report("ahead", set)];
    let state: RegoPolicyState = { kind: "compiling" };
    let tell = () => {};
    const starting = world({
      want: () => {},
      state: () => state,
      outdated: () => undefined,
      onChange: (listener) => {
        tell = listener;
      },
    });
    const [replica] = starting.liveReplicas(now);
    const [, slow] = policies.map(memberOf);
    expect(starting.current().problems).toMatchObject([{ name: "slow", error: { code: "Compiling" } }]);
    expect(starting.loadedBy([replica!], [slow!])).toBe(1);
    expect(starting.mayKeepMore([replica!])).toBe(true);
    expect(starting.mayKeepMore([])).toBe(true);
    let told = 0;
    starting.onCompiled(() => told++);
    state = ready;
    tell();
    expect(told).toBe(1);
    expect(starting.current().problems).toEqual([]);
    expect(starting.isCurrent(replica!)).toBe(true);
    expect(starting.mayKeepMore([replica!])).toBe(false);
  });

  it("means by latest what the API server is now, and tells whoever hangs on it", () => {
    policies = [policy("levels")];
    const upgraded = world();
    const minor = () => upgraded.current().policy("levels")?.podSecurityMinor;
    expect([upgraded.serverMinor, minor()]).toEqual([37, 37]);
    let told = 0;
    upgraded.onCompiled(() => told++);
    expect(upgraded.observeServer(37)).toBe(false);
    expect(upgraded.observeServer(36)).toBe(true);
    expect([upgraded.serverMinor, minor(), told]).toEqual([36, 36, 1]);
  });

  it("believes no report of a policy that is another object, or that compiles", () => {
    const before = load();
    policies = [policy("good"), policy("bad", 2, "nonsense")];
    leases = [report("keeps", load(before))];
    const another = policy("bad", 2, "nonsense");
    policies[1] = { ...another, metadata: { ...another.metadata, uid: "another" } };
    const recreated = world();
    expect(recreated.keptBy(recreated.liveReplicas(now))).toEqual([]);
    policies[1] = policy("bad", 3);
    const mended = world();
    const [replica] = mended.liveReplicas(now);
    expect(mended.keptBy([replica!])).toEqual([]);
    expect(mended.isCurrent(replica!)).toBe(false);
  });
});

import type { ShieldPolicy } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { celPolicy } from "../../testing/objects.ts";
import { buildPolicySet } from "./build.ts";
import { POLICIES_PER_SLICE, preparePolicies } from "./prepare.ts";

function policy(name: string, expression: string, generation = 1): ShieldPolicy {
  const made = celPolicy(name, { evaluation: "Webhook", validations: [{ expression }] });
  return { ...made, metadata: { ...made.metadata, generation } };
}

/** A policy that tells when its expressions are read, which is when it is compiled. */
function watched(name: string, onCompile: () => void): ShieldPolicy {
  const { spec, ...rest } = policy(name, "object.data.size() < 5");
  return {
    ...rest,
    get spec() {
      onCompile();
      return spec;
    },
  } as ShieldPolicy;
}

describe("policies compiled ahead", () => {
  it("never hold the event loop for more than a few of them, whatever their number", async () => {
    let compiling = new Set<string>();
    let largest = 0;
    let pauses = 0;
    const names = Array.from({ length: 200 }, (_, at) => `p${at}`);
    const policies = names.map((name) =>
      watched(name, () => {
        compiling.add(name);
        largest = Math.max(largest, compiling.size);
      }),
    );
    const input = { policies, exceptions: [], serverMinor: 37 };
    const prepared = await preparePolicies(input, async () => {
      pauses++;
      compiling = new Set();
    });
    expect(prepared.size).toBe(200);
    expect(largest).toBe(POLICIES_PER_SLICE);
    expect(pauses).toBe(200 / POLICIES_PER_SLICE - 1);
  });

  it("come to the set that is compiled at once, problems too, and are not compiled again", async () => {
    const policies = [policy("good", "true"), policy("broken", "1 +")];
    const input = { policies, exceptions: [], serverMinor: 37 };
    const prepared = await preparePolicies(input, async () => {});
    const [ahead, atOnce] = [buildPolicySet({ ...input, prepared }), buildPolicySet(input)];
    expect(ahead.digest).toBe(atOnce.digest);
    expect(ahead.problems).toEqual(atOnce.problems);
    expect(ahead.problems).toHaveLength(1);
    expect(ahead.policy("good")).toBe(prepared.get(policies[0] as ShieldPolicy)?.compiled);
  });

  it("leave out what the set before has, and keep its last good version of what breaks", async () => {
    const one = policy("a", "true");
    const two = policy("b", "true");
    const base = { exceptions: [], serverMinor: 37 };
    const previous = buildPolicySet({ ...base, policies: [one, two] });
    const broken = policy("b", "(", 2);
    const input = { ...base, policies: [one, broken], previous };
    const prepared = await preparePolicies(input, async () => {});
    expect([...prepared.keys()]).toEqual([broken]);
    const set = buildPolicySet({ ...input, prepared });
    expect(set.policy("a")).toBe(previous.policy("a"));
    expect(set.policy("b")).toBe(previous.policy("b"));
    expect(set.problems).toMatchObject([{ name: "b", keepsLastGood: true }]);
  });
});

import { describe, expect, it } from "vitest";
import type { ShieldPolicyObject } from "../../kinds.ts";
import { whyItRefuses } from "./refuses.ts";

type Status = Pick<NonNullable<ShieldPolicyObject["status"]>, "enforcedBy" | "handingOverTo">;
const policy = (spec: object, status: Status): ShieldPolicyObject =>
  ({
    metadata: { name: "p", uid: "u", generation: 1 },
    spec: {
      engine: "cel",
      actions: { admission: "deny" },
      evaluation: "Auto",
      matchConstraints: { resourceRules: [pods] },
      ...spec,
    },
    status,
  }) as unknown as ShieldPolicyObject;
const pods = { apiGroups: [""], apiVersions: ["v1"], resources: ["pods"], operations: ["CREATE"] };
/** Only the API server takes wildcards. */
const everything = { matchConstraints: { resourceRules: [{ ...pods, resources: ["*"] }] } };
const mutations = [
  { patchType: "ApplyConfiguration", applyConfiguration: { expression: "Object{}" } },
] as const;
const validations = [{ expression: "true" }];
const native: Status = { enforcedBy: "Native" };
const webhook: Status = { enforcedBy: "Webhook" };

describe("why a policy still refuses while its glass is broken", () => {
  it.each([
    ["judges", { validations }],
    ["changes", { mutations }],
    ["changes and judges", { mutations, validations }],
  ])("one that %s is being handed over until nothing of it is on the API server", (_, spec) => {
    expect(whyItRefuses(policy(spec, native), true)).toContain("the webhook is taking over");
    expect(whyItRefuses(policy(spec, webhook), true)).toContain("the webhook is taking over");
    expect(whyItRefuses(policy(spec, webhook), false)).toBeUndefined();
  });

  it.each([
    ["judges", { validations }, "set actions.admission to warn instead"],
    ["changes and judges", { mutations, validations }, "set actions.admission to off instead"],
    ["changes", { mutations }, "set failurePolicy to Ignore instead"],
  ])("one that %s and cannot be handed over says what to do", (_, spec, remedy) => {
    const why = whyItRefuses(policy({ ...spec, ...everything }, native), true);
    expect(why).toContain("the webhook cannot take over");
    expect(why).toContain(remedy);
  });

  it.each([
    ["only changes, and lets pass what it cannot change", { mutations, failurePolicy: "Ignore" }],
    ["only warns", { validations, actions: { admission: "warn" } }],
    ["is the webhook's in any case", { engine: "rego", rego: { module: "package a" } }],
  ])("one that %s refuses nothing", (_, spec) => {
    expect(whyItRefuses(policy({ ...spec, ...everything }, native), true)).toBeUndefined();
  });
});

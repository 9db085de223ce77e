import type { ShieldPolicy } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { mutatingEnforcer } from "./mutating-enforcer.ts";

const spec = (more: object = {}) =>
  ({
    engine: "cel",
    evaluation: "Auto",
    actions: { admission: "deny" },
    matchConstraints: {
      resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], resources: ["pods"], operations: ["CREATE"] }],
    },
    mutations: [],
    ...more,
  }) as unknown as ShieldPolicy["spec"];
const served = { servesMutatingPolicies: true };
const notServed = { servesMutatingPolicies: false };
/** Rules that only the API server takes. */
const everything = {
  matchConstraints: {
    resourceRules: [{ apiGroups: ["*"], apiVersions: ["*"], resources: ["*"], operations: ["CREATE"] }],
  },
};

/** 1,100 combinations, which are more than a webhook's configuration takes. */
const tooMany = {
  matchConstraints: {
    resourceRules: [
      {
        apiGroups: Array.from({ length: 11 }, (_, at) => `g${at}.io`),
        apiVersions: ["v1"],
        resources: Array.from({ length: 50 }, (_, at) => `r${at}`),
        operations: ["CREATE", "UPDATE"],
      },
    ],
  },
};

describe("mutatingEnforcer", () => {
  it("takes the API server where it can, else the webhook, and says why", () => {
    expect(mutatingEnforcer(spec(), served).by).toBe("Native");
    const old = mutatingEnforcer(spec({ evaluation: "Native" }), notServed);
    expect(old.by).toBe("Webhook");
    expect(old.reason).toContain("Kubernetes 1.36 and later");
  });

  it("leaves exceptions to who has a clock, unless Native is demanded or the webhook cannot", () => {
    const exceptions = { namespaces: { names: ["a"] } };
    expect(mutatingEnforcer(spec({ exceptions }), served).by).toBe("Webhook");
    expect(mutatingEnforcer(spec({ exceptions, evaluation: "Native" }), served).by).toBe("Native");
    expect(mutatingEnforcer(spec({ exceptions, ...everything }), served).by).toBe("Native");
  });

  it("has nobody where neither can", () => {
    expect(mutatingEnforcer(spec(everything), served).by).toBe("Native");
    expect(mutatingEnforcer(spec(everything), notServed)).toMatchObject({
      by: "None",
      reason: expect.stringContaining("the webhook takes no *"),
    });
    expect(mutatingEnforcer(spec(tooMany), notServed)).toMatchObject({
      by: "None",
      reason: expect.stringContaining("at most 1000 combinations"),
    });
    const exceptions = { namespaces: { names: ["a"] } };
    expect(mutatingEnforcer(spec({ exceptions, ...tooMany }), served).by).toBe("Native");
  });
});

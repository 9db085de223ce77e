import type { Informer, Secret, ValidatingWebhookConfiguration } from "@shieldx/controller-runtime";
import { ValidatingWebhookConfiguration as Configuration } from "@shieldx/controller-runtime";
import { describe, expect, it } from "vitest";
import { Departures } from "./departures.ts";
import type { ShieldPolicyObject } from "./kinds.ts";
import { wasInForce } from "./tampering.ts";

describe("wasInForce", () => {
  const issued = (creationTimestamp: string) => ({ metadata: { name: "ca", creationTimestamp } }) as Secret;
  const policy = (over: object = {}) =>
    ({
      metadata: { name: "p", generation: 2 },
      status: {
        enforcedBy: "Native",
        observedGeneration: 2,
        conditions: [{ type: "Enforced", status: "True", lastTransitionTime: "2026-03-01T00:00:00Z" }],
        ...over,
      },
    }) as unknown as ShieldPolicyObject;

  it("believes the status of this very version of the policy", () => {
    expect(wasInForce(policy(), "Native", issued("2026-02-01T00:00:00Z"))).toBe(true);
    expect(wasInForce(policy(), "Webhook", issued("2026-02-01T00:00:00Z"))).toBe(false);
    expect(wasInForce(policy({ observedGeneration: 1 }), "Native", issued("2026-02-01T00:00:00Z"))).toBe(
      false,
    );
  });

  it("does not believe one from before the certificates: policies outlive an uninstall", () => {
    expect(wasInForce(policy(), "Native", issued("2026-04-01T00:00:00Z"))).toBe(false);
    expect(wasInForce(policy(), "Native", undefined)).toBe(false);
  });
});

describe("Departures", () => {
  it("remembers what went until it is back", () => {
    type Handlers = Parameters<Informer<ValidatingWebhookConfiguration>["on"]>[0];
    let handlers: Handlers = {};
    const departures = new Departures();
    departures.follow({
      type: Configuration,
      on: (given: Handlers) => {
        handlers = given;
      },
    } as unknown as Informer<ValidatingWebhookConfiguration>);
    const object = { metadata: { name: "shieldx-kinds" } } as ValidatingWebhookConfiguration;
    expect(departures.of(Configuration, "shieldx-kinds")).toBeUndefined();
    handlers.deleted?.(object, true);
    expect(departures.of(Configuration, "shieldx-kinds")).toBe(object);
    handlers.added?.(object, false);
    expect(departures.of(Configuration, "shieldx-kinds")).toBeUndefined();
  });
});

import type { ValidatingWebhookConfiguration } from "@shieldx/controller-runtime";
import { describe, expect, it } from "vitest";
import { RESEND_AFTER_MS, RESEND_SPACING_MS, Resends, resendPatch } from "./resend.ts";

const configuration = (name: string, generation: number, annotations?: Readonly<Record<string, string>>) =>
  ({
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name, uid: `of-${name}`, generation, ...(annotations && { annotations }) },
  }) as unknown as ValidatingWebhookConfiguration;

describe("Resends", () => {
  it("asks for one more update of each change, and for no other", () => {
    const resends = new Resends(["a"]);
    const changed = configuration("a", 1);
    expect(resends.dueInMs(changed, 50)).toBe(RESEND_AFTER_MS);
    expect(resends.dueInMs(changed, 150)).toBe(RESEND_AFTER_MS - 100);
    expect(resends.dueInMs(changed, 50 + RESEND_AFTER_MS)).toBe(0);
    const { annotations } = resendPatch(changed).metadata;
    expect(resends.dueInMs(configuration("a", 1, annotations), 2000)).toBeUndefined();
    // The next change finds the annotation of the one before.
    expect(resends.dueInMs(configuration("a", 2, annotations), 3000)).toBe(RESEND_AFTER_MS);
  });

  it("waits anew when it changes again meanwhile", () => {
    const resends = new Resends(["a"]);
    resends.dueInMs(configuration("a", 1), 0);
    expect(resends.dueInMs(configuration("a", 2), RESEND_AFTER_MS - 1)).toBe(RESEND_AFTER_MS);
  });

  it("keeps those that changed together apart", () => {
    const resends = new Resends(["a", "b", "c"]);
    const due = ["a", "b", "c"].map((name) => resends.dueInMs(configuration(name, 1), 0) ?? 0);
    expect(due).toEqual([0, 1, 2].map((place) => RESEND_AFTER_MS + place * RESEND_SPACING_MS));
  });
});

import { describe, expect, it } from "vitest";
import {
  effectiveBackground,
  effectiveFailurePolicy,
  fitsWebhook,
  isJudgedByWebhook,
  maxExceptionDurationMs,
  mutates,
  pinsDigests,
  validates,
} from "./effective.ts";

describe("values that hold when a field is left out", () => {
  it("background: audit for podSecurity, off for the others, what is given otherwise", () => {
    expect(effectiveBackground({ engine: "podSecurity", actions: { admission: "deny" } })).toBe("audit");
    expect(effectiveBackground({ engine: "cel", actions: { admission: "deny" } })).toBe("off");
    expect(
      effectiveBackground({ engine: "podSecurity", actions: { admission: "deny", background: "off" } }),
    ).toBe("off");
  });

  it.each([
    ["deny", "Fail"],
    ["warn", "Ignore"],
    ["audit", "Ignore"],
    ["off", "Ignore"],
  ] as const)("failurePolicy of %s is %s", (admission, expected) => {
    expect(effectiveFailurePolicy({ actions: { admission } })).toBe(expected);
    expect(effectiveFailurePolicy({ actions: { admission }, failurePolicy: "Fail" })).toBe("Fail");
  });

  it("images are pinned by a policy that denies, unless it says otherwise, and judged by every one", () => {
    const rules = [{ name: "a", images: ["**"], keys: ["pem"] }];
    const verifyImages = { rules, otherImages: "Allow", pinDigest: true, timeoutSeconds: 10 } as const;
    const of = (admission: "deny" | "warn", pinDigest = true) =>
      ({ engine: "images", actions: { admission }, verifyImages: { ...verifyImages, pinDigest } }) as const;
    expect([of("deny"), of("deny", false), of("warn")].map(pinsDigests)).toEqual([true, false, false]);
    expect([of("deny"), of("warn")].map(mutates)).toEqual([true, false]);
    expect(validates(of("deny"))).toBe(true);
  });

  it("the webhook takes 1,000 combinations of a policy in cel that does not demand it, and no more", () => {
    const about = (groups: number) =>
      ({
        engine: "cel",
        evaluation: "Auto",
        actions: { admission: "deny" },
        matchConstraints: {
          resourceRules: [
            {
              apiGroups: Array.from({ length: groups }, (_, at) => `g${at}.io`),
              apiVersions: ["v1", "v2"],
              resources: Array.from({ length: 50 }, (_, at) => `r${at}`),
              operations: ["CREATE"],
            },
          ],
        },
      }) as unknown as Parameters<typeof fitsWebhook>[0];
    expect([10, 11].map((groups) => fitsWebhook(about(groups)))).toEqual([true, false]);
    expect([10, 11].map((groups) => isJudgedByWebhook(about(groups), "Webhook"))).toEqual([true, false]);
  });

  it("exceptions last 720 h at most", () => {
    expect(maxExceptionDurationMs({})).toBe(720 * 3_600_000);
    expect(
      maxExceptionDurationMs({ exceptions: { namespaces: { names: ["a"] }, maxDuration: "1h30m" } }),
    ).toBe(5_400_000);
  });
});

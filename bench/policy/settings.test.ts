import { expect, it } from "vitest";
import { policySettingsFrom } from "./settings.ts";

it("takes the sizes of the goals, one small one when quick, and says which variable it cannot read", () => {
  expect(policySettingsFrom({})).toMatchObject({
    ...{ runs: 5, sizes: [16, 200, 1_000], turnSeconds: 3 },
    ...{ gatekeeper: "parameters", peersUpTo: 200 },
  });
  expect(policySettingsFrom({ QUICK: "1" })).toMatchObject({ runs: 1, sizes: [16], turnSeconds: 0.5 });
  expect(policySettingsFrom({ GATEKEEPER: "0", SIZES: "4", PARTS: "starts" })).toMatchObject({
    ...{ gatekeeper: undefined, sizes: [4], parts: ["starts"] },
  });
  expect(policySettingsFrom({ K8S: "1.34", DATA_MB: "0" })).toMatchObject({
    ...{ kubernetes: "1.34", dataMegabytes: 0 },
  });
  expect(() => policySettingsFrom({ K8S: "1.33" })).toThrow("K8S=1.33: use 1.37 or 1.34");
  expect(() => policySettingsFrom({ DATA_MB: "501" })).toThrow("DATA_MB=501: at most 500");
  expect(() => policySettingsFrom({ SIZES: "16,few" })).toThrow("SIZES=few");
  expect(() => policySettingsFrom({ TURN_SECONDS: "0" })).toThrow("TURN_SECONDS=0");
  expect(() => policySettingsFrom({ GATEKEEPER: "1" })).toThrow("use parameters, templates or 0");
});

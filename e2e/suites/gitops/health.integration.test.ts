import { globSync } from "node:fs";
import { join } from "node:path";
import { kinds } from "@shieldx/crds";
import { beforeAll, describe, expect, it } from "vitest";
import { buildArgocd } from "../../cluster/index.ts";
import { deploy, type HealthCase, healthTests } from "./argocd.ts";

const customizations = join(deploy, "argocd", "resource_customizations");
let cases: HealthCase[];

beforeAll(async () => {
  await buildArgocd();
  cases = await healthTests(customizations);
}, 900_000);

describe("the health scripts, in Argo CD's own Lua machine", () => {
  it("say of every sample what its test expects", () => {
    const wrong = cases.filter(({ expected, found, error }) => {
      return error !== undefined || found?.status !== expected.status || found.message !== expected.message;
    });
    expect(wrong).toEqual([]);
    console.log(`${cases.length} samples of ${new Set(cases.map(({ kind }) => kind)).size} kinds`);
  });

  it("have a test for every sample", () => {
    const samples = globSync(join(customizations, "*", "*", "testdata", "*.yaml"));
    expect(samples).toHaveLength(cases.length);
  });

  it("tell healthy, progressing and degraded apart for each of our kinds, and suspended where there is such a state", () => {
    const suspended = ["ShieldPolicy", "ShieldException", "ShieldBreakGlass"];
    // NamespacedShieldPolicy goes by the script of ShieldPolicy.
    for (const { kind } of kinds.filter((each) => each.kind !== "NamespacedShieldPolicy")) {
      const ofKind = cases.filter((one) => one.kind === `shieldx.io/${kind}`);
      const states = new Set(ofKind.map(({ found }) => found?.status));
      const wanted = [
        "Degraded",
        "Healthy",
        "Progressing",
        ...(suspended.includes(kind) ? ["Suspended"] : []),
      ];
      expect([...states].sort(), kind).toEqual(wanted);
    }
  });
});

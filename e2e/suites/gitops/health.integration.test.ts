import { globSync } from "node:fs";
import { join } from "node:path";
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

  it("tell healthy, progressing, degraded and suspended apart for each of our kinds", () => {
    for (const kind of ["shieldx.io/ShieldPolicy", "shieldx.io/ShieldException"]) {
      const states = new Set(cases.filter((one) => one.kind === kind).map(({ found }) => found?.status));
      expect([...states].sort(), kind).toEqual(["Degraded", "Healthy", "Progressing", "Suspended"]);
    }
  });
});

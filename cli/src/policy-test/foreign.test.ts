import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main } from "../main.ts";
import { recordingTerminal } from "../recording-terminal.test-kit.ts";

let folder: string;
const file = (name: string) => join(folder, name);

async function run(...argv: string[]) {
  const terminal = recordingTerminal();
  const code = await main(["policy", "test", ...argv], terminal);
  return { code, stdout: terminal.stdout, stderr: terminal.stderr };
}

const write = async (name: string, text: string) => {
  await mkdir(join(file(name), ".."), { recursive: true });
  await writeFile(file(name), text);
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "shieldctl-foreign-"));
  await write(
    "kyverno/policy.yaml",
    `apiVersion: policies.kyverno.io/v1
kind: ValidatingPolicy
metadata: {name: few}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}]
  validations: [{expression: object.spec.replicas <= 5, message: at most 5}]
`,
  );
  await write(
    "kyverno/resources/deployments.yaml",
    `{apiVersion: apps/v1, kind: Deployment, metadata: {name: small}, spec: {replicas: 1}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: large}, spec: {replicas: 9}}
`,
  );
  await write(
    "kyverno/.kyverno-test/kyverno-test.yaml",
    `apiVersion: cli.kyverno.io/v1alpha1
kind: Test
metadata: {name: replicas}
policies: [../policy.yaml]
resources: [../resources]
results:
  - {policy: few, kind: Deployment, resources: [small], result: pass}
  - {policy: few, kind: Deployment, resources: [large], result: pass}
`,
  );
  // What tests name need not be an object.
  await write("kyverno/chart/values.yaml", "replicas: 3\n");
  await write(
    "gatekeeper/suite.yaml",
    `apiVersion: test.gatekeeper.sh/v1alpha1
kind: Suite
tests:
  - name: gone
    template: template.yaml
    constraint: constraint.yaml
    cases: [{name: a, object: a.yaml, assertions: [{violations: yes}]}]
  - {name: left-out, skip: true, template: t.yaml, constraint: c.yaml, cases: [{name: a, object: a.yaml}]}
`,
  );
  await write("broken/suite.yaml", "apiVersion: test.gatekeeper.sh/v1alpha1\nkind: Suite\ntests: 1\n");
  await write("rego/a.rego", "package a\n\ntest_a if true\n");
});
afterAll(async () => rm(folder, { recursive: true }));

describe("shieldctl policy test, on tests of others", () => {
  it("finds them by what is in the files, whatever else lies there", async () => {
    const { code, stdout, stderr } = await run(file("kyverno"), "--verbose");
    expect(stdout).toMatch(/kyverno-test\.yaml:1 +few +replicas\/Deployment\/default\/small: pass +passed/);
    expect(stdout).toMatch(/large: pass +failed +expected pass, but it is fail: at most 5/);
    expect({ code, stderr }).toEqual({ code: 1, stderr: "1 policy, 1 cases passed, 1 failed\n" });
  });

  it("leaves out what is to be skipped, and says so; what cannot be read has not passed", async () => {
    const { code, stdout, stderr } = await run(file("gatekeeper"));
    expect(stdout).toMatch(/gone\/a +error +.*template\.yaml: no such file/);
    expect(stdout).not.toContain("left-out");
    expect(code).toBe(1);
    expect(stderr).toContain("0 cases passed, 1 failed, 1 skipped");
    const xml = (await run(file("gatekeeper"), "-o", "junit")).stdout;
    expect(xml).toContain('tests="2" failures="0" errors="1" skipped="1"');
    expect(xml).toMatch(/<skipped message="the test says/);
    const json = JSON.parse((await run(file("gatekeeper"), "-o", "json")).stdout);
    expect(json).toMatchObject({ passed: 0, failed: 1, skipped: 1 });
    const [result, ...others] = JSON.parse((await run(file("gatekeeper"), "-o", "sarif")).stdout).runs[0]
      .results;
    expect(result).toMatchObject({ ruleId: "constraint.yaml", level: "error" });
    expect(others).toEqual([]);
  });

  it("reads no devices that a test names", async () => {
    await write(
      "zero/kyverno-test.yaml",
      `apiVersion: cli.kyverno.io/v1alpha1
kind: Test
metadata: {name: zero}
policies: [../../../../../../dev/zero]
resources: []
results:
  - {policy: few, kind: Deployment, resources: [small], result: pass}
`,
    );
    const { code, stdout, stderr } = await run(file("zero"));
    await rm(file("zero"), { recursive: true });
    expect(code).not.toBe(0);
    expect(stdout + stderr).toContain("no such policy is among those of the test");
  });

  it("takes only policies that are asked for", async () => {
    expect((await run(file("kyverno"), "--policy", "few")).stderr).toContain("1 cases passed, 1 failed");
    expect(await run(file("kyverno"), "--policy", "many")).toMatchObject({ code: 2 });
  });

  it("exits 2 for tests that are none", async () => {
    const { code, stderr } = await run(file("broken"));
    expect(code).toBe(2);
    expect(stderr).toContain("suite.yaml:1: tests: must be a list");
    expect(await run(file("kyverno"), "--min-coverage", "x")).toMatchObject({ code: 2 });
  });

  it("says how to name the compiler that tests in Rego need", async () => {
    const { code, stderr } = await run(file("rego"), "--rego-compiler", file("none.wasm"));
    expect(code).toBe(1);
    expect(stderr).toContain("--rego-compiler");
  });
});

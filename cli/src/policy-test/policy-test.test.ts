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

const policy = (name: string, tests: string, expression = "object.spec.replicas <= 5") => `
apiVersion: shieldx.io/v1alpha1
kind: ShieldPolicy
metadata: {name: ${name}}
spec:
  engine: cel
  actions: {admission: warn}
  matchConstraints:
    resourceRules:
      - {apiGroups: [apps], apiVersions: [v1], resources: [deployments], operations: [CREATE]}
  validations:
    - {expression: "${expression}", message: "at most 5 <replicas>"}
${tests}
`;
const one = (replicas: number, decision: string) =>
  `{name: ${replicas} replicas, object: {apiVersion: apps/v1, kind: Deployment, spec: {replicas: ${replicas}}}, expect: {decision: ${decision}}}`;
const testFile = (more: string) => `
apiVersion: cli.shieldx.io/v1alpha1
kind: PolicyTest
${more}
tests: [${one(7, "deny")}, ${one(1, "allow")}]
`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "shieldctl-test-"));
  await mkdir(file("good"));
  await mkdir(file("apart"));
  const good = policy("few", `  tests: [${one(5, "allow")}, ${one(6, "deny")}]`);
  await writeFile(file("good/few.yaml"), good);
  await writeFile(file("good/untested.yaml"), policy("untested", ""));
  await writeFile(file("failing.yaml"), policy("wrong", `  tests: [${one(6, "allow")}, ${one(1, "allow")}]`));
  await writeFile(file("broken.yaml"), policy("broken", "", "object.spec ="));
  await writeFile(file("apart/few-test.yaml"), testFile("policy: few\npolicyFile: ../good/few.yaml"));
  await writeFile(file("among.yaml"), testFile("policy: untested"));
  await writeFile(file("misspelt.yaml"), testFile("policy: few\npolcyFile: x"));
  await writeFile(file("pod.yaml"), "{apiVersion: v1, kind: Pod}");
});
afterAll(async () => rm(folder, { recursive: true }));

const ofTenant = `
apiVersion: shieldx.io/v1alpha1
kind: NamespacedShieldPolicy
metadata: {name: few, namespace: shop}
spec:
  engine: cel
  actions: {admission: deny}
  matchConstraints:
    resourceRules:
      - {apiGroups: [apps], apiVersions: [v1], resources: [deployments], operations: [CREATE]}
  validations:
    - {expression: "object.spec.replicas <= 5", message: "at most 5"}
  tests:
    - ${one(6, "deny")}
    - name: elsewhere
      object: {apiVersion: apps/v1, kind: Deployment, metadata: {namespace: other}, spec: {replicas: 6}}
      expect: {decision: allow}
`;

describe("shieldctl policy test", () => {
  it("runs what a tenant's policy carries, in its namespace", async () => {
    await writeFile(file("tenant.yaml"), ofTenant);
    await writeFile(file("tenant-test.yaml"), testFile("policy: shop/few\npolicyFile: tenant.yaml"));
    const { code, stderr } = await run(file("tenant.yaml"), file("tenant-test.yaml"), "--policy", "few");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "1 policy, 4 cases passed, 0 failed\n" });
    await rm(file("tenant.yaml"));
    await rm(file("tenant-test.yaml"));
  });

  it("runs what policies carry, and says which carry nothing", async () => {
    const { code, stdout, stderr } = await run(file("good"));
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(stderr).toBe("2 policies, 2 cases passed, 0 failed, 1 without tests: untested\n");
    expect((await run(file("good"), "--require-tests")).code).toBe(1);
    expect((await run(file("good"), "--policy", "few", "--require-tests")).code).toBe(0);
    expect((await run(file("good"), "--verbose")).stdout).toMatch(
      /few +5 replicas +passed +nothing is wrong/,
    );
  });

  it("exits 1 when a case fails, with what was expected and what came", async () => {
    const { code, stdout, stderr } = await run(file("failing.yaml"), file("good"));
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /failing\.yaml:2 +wrong +6 replicas +failed +expected it to be allowed, but it was denied: .*at most 5/,
    );
    expect(stdout.trim().split("\n")).toHaveLength(2);
    expect(stderr).toContain("3 policies, 3 cases passed, 1 failed");
  });

  it("takes a policy that does not compile for a failure, not for the end", async () => {
    const { code, stdout } = await run(file("broken.yaml"), file("good"));
    expect(code).toBe(1);
    expect(stdout).toMatch(/broken +compiles +error +the policy does not compile: spec\.validations\[0\]/);
  });

  it("runs test files, about a policy of another file or one among those given", async () => {
    expect(await run(file("apart"))).toMatchObject({
      code: 0,
      stderr: "1 policy, 2 cases passed, 0 failed\n",
    });
    expect(await run(file("among.yaml"), file("good"), "--require-tests")).toMatchObject({
      code: 0,
      stderr: "2 policies, 4 cases passed, 0 failed\n",
    });
  });

  it("prints JSON, JUnit and SARIF", async () => {
    const json = JSON.parse((await run(file("failing.yaml"), "-o", "json")).stdout);
    expect(json).toMatchObject({ policies: 1, passed: 1, failed: 1, untested: [] });
    expect(json.cases[0]).toMatchObject({
      policy: "wrong",
      case: "6 replicas",
      result: "failed",
      matched: true,
    });
    const xml = (await run(file("failing.yaml"), "-o", "junit")).stdout;
    expect(xml).toContain('<testsuites tests="2" failures="1" errors="0"');
    expect(xml).toMatch(/<testcase name="6 replicas" classname="wrong" .*>\n +<failure message="expected it/);
    expect(xml).toContain("at most 5 &lt;replicas&gt;");
    const [result] = JSON.parse((await run(file("failing.yaml"), "-o", "sarif")).stdout).runs[0].results;
    expect(result).toMatchObject({ ruleId: "wrong", level: "error" });
    expect(result.message.text).toContain('case "6 replicas"');
  });

  it.each([
    ["a folder without policies", ["pod.yaml"], "no ShieldPolicy and no PolicyTest"],
    ["a test file about nothing there", ["among.yaml"], 'no ShieldPolicy "untested" in the files given'],
    ["a field that does not exist", ["misspelt.yaml"], "polcyFile"],
    ["a policy that is not there", ["good/few.yaml", "--policy=many"], "--policy many: no such ShieldPolicy"],
  ])("exits 2 for %s", async (_, argv, expected) => {
    const { code, stderr } = await run(...argv.map((word) => (word.endsWith(".yaml") ? file(word) : word)));
    expect(code).toBe(2);
    expect(stderr).toContain(expected);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });
});

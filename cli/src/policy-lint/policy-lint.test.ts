import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main } from "../main.ts";
import { recordingTerminal } from "../recording-terminal.test-kit.ts";

let folder: string;
const file = (name: string) => join(folder, name);

async function run(...argv: string[]) {
  const terminal = recordingTerminal();
  const code = await main(["policy", "lint", ...argv], terminal);
  return { code, stdout: terminal.stdout, stderr: terminal.stderr };
}

const policy = (name: string, more = "") => `---
apiVersion: shieldx.io/v1alpha1
kind: ShieldPolicy
metadata: {name: ${name}}
spec:
  engine: cel
  actions: {admission: deny}
  matchConstraints:
    resourceRules:
      - {apiGroups: [apps], apiVersions: [v1], resources: [deployments], operations: [CREATE, UPDATE]}
  validations:
    - {expression: object.spec.replicas <= 5, message: at most five}
${more}`;
const tests = `  tests:
    - {name: one, object: {apiVersion: apps/v1, kind: Deployment, spec: {replicas: 1}}, expect: {decision: allow}}
`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "shieldctl-lint-"));
  await writeFile(file("all.yaml"), policy("untested") + policy("half", tests));
  await writeFile(file("pod.yaml"), "{apiVersion: v1, kind: Pod}");
});
afterAll(async () => rm(folder, { recursive: true }));

describe("shieldctl policy lint", () => {
  it("says what is likely wrong, where, and what to do", async () => {
    const { code, stdout, stderr } = await run(file("all.yaml"));
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /all\.yaml:2 +untested +warning +no-tests +spec\.tests: there are none: add spec\.tests/,
    );
    expect(stdout).toMatch(/all\.yaml:\d+ +half +warning +no-refused-case/);
    expect(stderr).toBe("2 policies, 0 errors, 2 warnings, 0 notes\n");
  });

  it.each<[number, string[]]>([
    [0, ["--fail-on", "error"]],
    [0, ["--fail-on", "none"]],
    [0, ["--disable", "no-tests", "--disable", "no-refused-case"]],
    [0, ["--policy", "half", "--disable", "no-refused-case"]],
    [1, ["--policy", "half"]],
    [2, ["--disable", "no-such-rule"]],
    [2, ["--policy", "nobody"]],
  ])("exits with %i by %j", async (code, flags) => {
    expect((await run(file("all.yaml"), ...flags)).code).toBe(code);
  });

  it("prints JSON, JUnit, and SARIF with what each rule is about", async () => {
    const json = JSON.parse((await run(file("all.yaml"), "-o", "json")).stdout);
    expect(json).toMatchObject({
      policies: 2,
      findings: [{ policy: "untested", code: "no-tests", line: 2 }, { policy: "half" }],
    });
    expect((await run(file("all.yaml"), "-o", "junit")).stdout).toContain(
      '<testsuites tests="2" failures="2"',
    );
    const [sarifRun] = JSON.parse((await run(file("all.yaml"), "-o", "sarif")).stdout).runs;
    expect(sarifRun.tool.driver.rules).toMatchObject([
      { id: "no-refused-case", shortDescription: { text: expect.stringContaining("refuses nothing") } },
      { id: "no-tests", help: { text: expect.stringContaining("Add spec.tests") } },
    ]);
    expect(sarifRun.results).toMatchObject([
      { ruleId: "no-tests", level: "warning" },
      { ruleId: "no-refused-case" },
    ]);
  });

  it("tells input without policies", async () => {
    expect(await run(file("pod.yaml"))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("no ShieldPolicy in"),
    });
  });
});

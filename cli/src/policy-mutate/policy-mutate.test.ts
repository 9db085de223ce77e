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
  const words = argv.map((word) => (word.endsWith(".yaml") ? file(word) : word));
  const code = await main(["policy", "mutate", ...words], terminal);
  return { code, stdout: terminal.stdout.replaceAll(`${folder}/`, ""), stderr: terminal.stderr };
}

const one = (replicas: number, decision: string) =>
  `{name: "${replicas}", object: {apiVersion: apps/v1, kind: Deployment, spec: {replicas: ${replicas}}}, expect: {decision: ${decision}}}`;
const policy = (tests: string[], engine = "engine: cel") => `
apiVersion: shieldx.io/v1alpha1
kind: ShieldPolicy
metadata: {name: few}
spec:
  ${engine}
  actions: {admission: deny}
  matchConstraints:
    resourceRules:
      - {apiGroups: [apps], apiVersions: [v1], resources: [deployments], operations: [CREATE]}
  validations:
    - expression: |-
        object.spec.replicas > 0 &&
        object.spec.replicas <= 5
  tests: [${tests.join(", ")}]
`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "shieldctl-mutate-"));
  const good = [one(0, "deny"), one(1, "allow"), one(5, "allow"), one(6, "deny")];
  await writeFile(file("good.yaml"), policy(good));
  await writeFile(file("weak.yaml"), policy([one(1, "allow"), one(9, "deny")]));
  await writeFile(file("failing.yaml"), policy([one(9, "allow")]));
  const more = `{apiVersion: cli.shieldx.io/v1alpha1, kind: PolicyTest, policy: few, tests: [${good.join(", ")}]}`;
  await writeFile(file("more.yaml"), more);
  const psa =
    "{apiVersion: shieldx.io/v1alpha1, kind: ShieldPolicy, metadata: {name: psa}, spec: {engine: podSecurity, podSecurity: {level: baseline}, actions: {admission: deny}}}";
  await writeFile(file("psa.yaml"), psa);
});
afterAll(async () => rm(folder, { recursive: true }));

describe("shieldctl policy mutate", () => {
  it("is content with cases that notice every mistake", async () => {
    const { code, stdout, stderr } = await run("good.yaml", "--min-score", "100");
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: "1 policy, 7 mutants, 7 killed, 0 survived: 100 %\n",
    });
    expect(stdout).toMatch(/few +4 +7 +0 +100 %/);
  });

  it("shows what no case notices as a difference, with its place", async () => {
    const { code, stdout, stderr } = await run("weak.yaml", "--min-score", "90");
    expect(code).toBe(1);
    expect(stdout.split("\n").slice(3, 9)).toEqual([
      "weak.yaml:2 few: comparison at spec.validations[0].expression:2:22 survived",
      "  - object.spec.replicas <= 5",
      "  + object.spec.replicas < 5",
      "weak.yaml:2 few: literal at spec.validations[0].expression:2:25 survived",
      "  - object.spec.replicas <= 5",
      "  + object.spec.replicas <= 6",
    ]);
    expect(stdout).toMatch(/few +2 +7 +3 +57 %/);
    expect(stderr).toBe("1 policy, 7 mutants, 4 killed, 3 survived: 57 %\n");
  });

  it("takes the cases of PolicyTest files, too", async () => {
    expect((await run("weak.yaml", "more.yaml", "--min-score", "100")).code).toBe(0);
  });

  it("tries nothing where cases fail as it is", async () => {
    const { code, stdout } = await run("failing.yaml");
    expect(code).toBe(1);
    expect(stdout).toContain('case "9" fails without any mistake: expected it to be allowed');
  });

  it("has nothing for other engines", async () => {
    const { code, stderr } = await run("psa.yaml");
    expect(code).toBe(0);
    expect(stderr).toContain('"psa" is of engine podSecurity: only cel has mutants');
  });

  it("prints JSON, JUnit and SARIF", async () => {
    const { policies } = JSON.parse((await run("weak.yaml", "-o", "json")).stdout);
    expect(policies[0]).toMatchObject({ policy: "few", cases: 2, mutants: 7 });
    expect(policies[0].survivors[0]).toMatchObject({
      operator: expect.any(String),
      path: "spec.validations[0].expression",
    });
    const xml = (await run("weak.yaml", "-o", "junit")).stdout;
    expect(xml).toContain('<testsuites tests="7"');
    expect(xml).toContain("no case notices when");
    const [result] = JSON.parse((await run("weak.yaml", "-o", "sarif")).stdout).runs[0].results;
    expect(result).toMatchObject({ ruleId: "few", level: "warning" });
  });

  it("exits 2 for a score that is none", async () => {
    expect(await run("good.yaml", "--min-score", "101")).toMatchObject({ code: 2 });
    expect((await run("good.yaml", "--min-score=-1")).stderr).toContain("write a whole number from 0 to 100");
  });
});

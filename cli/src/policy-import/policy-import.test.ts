import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseManifests, parseShieldPolicy } from "@shieldx/crds";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main } from "../main.ts";
import { recordingTerminal } from "../recording-terminal.test-kit.ts";

let folder: string;
const file = (name: string) => join(folder, name);

async function run(...argv: string[]) {
  const terminal = recordingTerminal();
  const code = await main(["policy", "import", ...argv], terminal);
  return { code, stdout: terminal.stdout, stderr: terminal.stderr };
}

const policy = (name: string, expression = "object.spec.replicas <= 5") => `---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: ${name}}
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}
  validations:
    - expression: |-
        has(object.spec.replicas)
        && ${expression}
      message: at most five
`;
const binding = (name: string, actions = "[Deny]") => `---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: ${name}-everywhere}
spec: {policyName: ${name}, validationActions: ${actions}}
`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "shieldctl-import-"));
  await mkdir(file("theirs"));
  await writeFile(file("theirs/a.yaml"), policy("few") + binding("few"));
  await writeFile(file("theirs/b.yaml"), policy("noted") + binding("noted", "[Warn, Audit]"));
  await writeFile(file("theirs/kustomization.yaml"), "resources: [a.yaml]\n");
  await writeFile(
    file("theirs/other.yaml"),
    "{apiVersion: kyverno.io/v1, kind: ClusterPolicy, metadata: {name: old}}\n",
  );
  await writeFile(file("broken.yaml"), policy("broken", "nothing.there") + binding("broken"));
  await writeFile(file("alone.yaml"), policy("alone"));
  await writeFile(file("pod.yaml"), "{apiVersion: v1, kind: Pod}");
  await writeFile(file("not-a-bundle.tar.gz"), "text");
});
afterAll(async () => rm(folder, { recursive: true }));

describe("shieldctl policy import", () => {
  it("writes policies to standard output, valid as they stand, and what became of them to stderr", async () => {
    const { code, stdout, stderr } = await run(file("theirs"));
    expect(code).toBe(0);
    const made = parseManifests(stdout, "stdout").map((object) => parseShieldPolicy(object));
    expect(made.map(({ metadata, spec }) => [metadata.name, spec.actions.admission])).toEqual([
      ["few", "deny"],
      ["noted", "warn"],
    ]);
    expect(stdout).toContain(
      "# From ValidatingAdmissionPolicy few and ValidatingAdmissionPolicyBinding few-everywhere.\napiVersion: shieldx.io",
    );
    expect(stdout).toContain("# lost: spec.validationActions: ");
    expect(stderr).toMatch(/few +cel +deny +exactly +ValidatingAdmissionPolicy few, /);
    expect(stderr).toMatch(
      /b\.yaml:\d+ +ValidatingAdmissionPolicyBinding noted-everywhere +lost +spec\.validationActions: /,
    );
    expect(stderr).toContain(
      "2 policies, 1 carried over exactly, 0 with notes, 1 in part, 0 objects not; 1 of other kinds left alone: ClusterPolicy",
    );
  });

  it("writes a file for each, and none over one that is there", async () => {
    const to = file("ours");
    expect(await run(file("theirs"), "--output", to)).toMatchObject({ code: 0, stdout: "" });
    expect((await readdir(to)).sort()).toEqual(["few.yaml", "noted.yaml"]);
    const text = await readFile(join(to, "few.yaml"), "utf8");
    expect(text).toContain("    - expression: |-\n        has(object.spec.replicas)\n");
    await rm(join(to, "few.yaml"));
    const again = await run(file("theirs"), "--output", to);
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining("noted.yaml is there already") });
    expect(await readdir(to)).toEqual(["noted.yaml"]);
  });

  it("quotes what kubectl would read as false", async () => {
    const { stdout } = await run(file("alone.yaml"));
    expect(stdout).toContain('admission: "off"');
  });

  it.each<[string, string[], number]>([
    ["what is lost", ["--fail-on", "lost"], 1],
    ["nothing", ["--fail-on", "none"], 0],
  ])("exits by --fail-on: %s", async (_, flags, code) => {
    expect((await run(file("theirs"), ...flags)).code).toBe(code);
  });

  it("names what does not carry over, with its place and field", async () => {
    const { code, stdout, stderr } = await run(file("broken.yaml"), "--report", "json");
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(JSON.parse(stderr)).toMatchObject({
      policies: [],
      notes: [
        {
          severity: "error",
          path: "spec.validations[0].expression",
          file: file("broken.yaml"),
          line: 2,
          source: { kind: "ValidatingAdmissionPolicy", name: "broken" },
        },
      ],
    });
    const sarif = JSON.parse((await run(file("broken.yaml"), "--report", "sarif")).stderr);
    expect(sarif.runs[0].results).toMatchObject([{ ruleId: "import/error", level: "error" }]);
  });

  it.each<[string, string[], string]>([
    ["nothing to import", ["pod.yaml"], "no policy of Kubernetes, Kyverno, Gatekeeper or OPA"],
    ["a file that is not there", ["nowhere.yaml"], "no such file or folder"],
    ["flags of bundles without one", ["alone.yaml", "--entrypoint=data.a.deny"], "give one (.tar.gz)"],
  ])("tells wrong usage: %s", async (_, [name = "", ...flags], message) => {
    const { code, stderr } = await run(file(name), ...flags);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(message) });
  });

  it("tells a bundle that cannot be read", async () => {
    const { code, stderr } = await run(file("not-a-bundle.tar.gz"));
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringContaining("cannot be read as a bundle"),
    });
  });
});

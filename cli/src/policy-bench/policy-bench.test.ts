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
  const code = await main(["policy", "bench", "--rounds", "3", ...argv], terminal);
  return { code, stdout: terminal.stdout, stderr: terminal.stderr };
}

const policy = (name: string, expression: string, resource = "deployments", group = "apps") => `---
apiVersion: shieldx.io/v1alpha1
kind: ShieldPolicy
metadata: {name: ${name}}
spec:
  engine: cel
  actions: {admission: deny}
  matchConstraints:
    resourceRules:
      - {apiGroups: [${group}], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [${resource}]}
  validations:
    - {expression: "${expression}", message: "no"}
`;
const deployment = (name: string, replicas: number) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace: "shop", finalizers: ["a/b"] },
  spec: { replicas },
});
const review = {
  apiVersion: "admission.k8s.io/v1",
  kind: "AdmissionReview",
  request: {
    uid: "1",
    kind: { group: "apps", version: "v1", kind: "Deployment" },
    resource: { group: "apps", version: "v1", resource: "deployments" },
    name: "recorded",
    namespace: "shop",
    operation: "UPDATE",
    userInfo: { username: "ann" },
    object: deployment("recorded", 4),
    oldObject: deployment("recorded", 3),
  },
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "shieldctl-bench-"));
  await writeFile(
    file("policies.yaml"),
    policy("few", "object.spec.replicas <= 5") +
      policy("pods", "true", "pods", "''") +
      policy("walks", "object.metadata.finalizers.all(f, f.contains('/'))"),
  );
  await writeFile(file("broken.yaml"), policy("broken", "object.spec ="));
  await writeFile(
    file("objects.yaml"),
    `${JSON.stringify(deployment("web", 3))}\n---\n${JSON.stringify(deployment("api", 9))}\n`,
  );
  await writeFile(file("reviews.jsonl"), `${JSON.stringify(review)}\n`);
});
afterAll(async () => rm(folder, { recursive: true }));

describe("shieldctl policy bench", () => {
  it("shows time and cost of each policy, and of all, and what it could not measure", async () => {
    const { code, stdout, stderr } = await run(
      "-f",
      file("objects.yaml"),
      "--policies",
      file("policies.yaml"),
    );
    expect(code).toBe(0);
    const [head, few, pods, walks, all] = stdout.split("\n");
    expect(head).toMatch(/^POLICY +ENGINE +REQUESTS +P50 MS +P99 MS +COST +OF LIMIT +LONG LISTS +OF LIMIT$/);
    expect(few).toMatch(/^few +cel +2 +\d+\.\d{4} +\d+\.\d{4} +\d+ cel +0\.00 % +\d+ +0\.00 %$/);
    expect(pods).toMatch(/^pods +cel +0 +- +- +- +- +- +-$/);
    expect(walks).toMatch(/^walks +cel +2 /);
    expect(all).toMatch(/^all 3 together +2 +\d.* cel +- +\d+ +-$/);
    expect(stderr).toContain('ShieldPolicy "pods" is about none of the requests');
    // Three rounds of two requests for two policies, and for all together.
    expect(stderr).toContain("2 requests, 18 judgements timed");
  });

  it("takes recorded requests, and gives the costliest by its place", async () => {
    const { stdout } = await run(
      ...["-f", file("objects.yaml"), "-f", file("reviews.jsonl"), "--policies", file("policies.yaml")],
      ...["--policy", "few", "-o", "json"],
    );
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({
      requests: 3,
      policies: [{ policy: "few", engine: "cel", requests: 3, time: { samples: 9 } }],
    });
    expect(report.policies[0].spent.cel).toMatchObject({
      limit: 10_000_000,
      mostAt: { file: expect.stringContaining(folder), line: expect.any(Number) },
    });
  });

  it.each<[number, string[]]>([
    [0, []],
    [0, ["--max-cost", "100000"]],
    [1, ["--max-cost", "1"]],
    [2, ["--max-cost", "much"]],
    [2, ["--rounds", "0"]],
    [2, ["--seconds", "1e3"]],
    [2, ["--policy", "nobody"]],
    [2, ["--policies", "broken.yaml"]],
    [2, ["-f", "nowhere.yaml"]],
  ])("exits with %i by %j", async (code, flags) => {
    const placed = flags.map((flag) => (flag.endsWith(".yaml") ? file(flag) : flag));
    const ran = await run("-f", file("objects.yaml"), "--policies", file("policies.yaml"), ...placed);
    expect(ran.code).toBe(code);
    if (flags[1] === "1")
      expect(ran.stderr).toMatch(/ShieldPolicy "walks" costs \d+ units, more than --max-cost 1/);
  });

  it("says in its help how it measures", async () => {
    const { code, stdout } = await run("--help");
    expect(code).toBe(0);
    expect(stdout).toContain("it never fails the command");
  });
});

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main } from "../main.ts";
import { recordingTerminal } from "../recording-terminal.test-kit.ts";

let folder: string;
const file = (name: string) => join(folder, name);

async function run(records: string, ...flags: string[]) {
  const terminal = recordingTerminal();
  const argv = ["policy", "replay", file(records), "--old", file("old"), "--new", file("new"), ...flags];
  const code = await main(argv, terminal);
  return { code, stdout: terminal.stdout, stderr: terminal.stderr };
}

const policy = (most: number) => `
apiVersion: shieldx.io/v1alpha1
kind: ShieldPolicy
metadata: {name: few}
spec:
  engine: cel
  actions: {admission: deny}
  matchConstraints:
    namespaceSelector: {matchLabels: {tier: prod}}
    resourceRules:
      - {apiGroups: [apps], apiVersions: [v1], resources: [deployments], operations: [CREATE, UPDATE]}
  validations:
    - {expression: "object.spec.replicas <= ${most}", message: at most ${most}}
`;
const object = (name: string, replicas: number) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace: "shop" },
  spec: { replicas },
});
const review = (name: string, replicas: number) => ({
  apiVersion: "admission.k8s.io/v1",
  kind: "AdmissionReview",
  request: {
    uid: name,
    kind: { group: "apps", version: "v1", kind: "Deployment" },
    resource: { group: "apps", version: "v1", resource: "deployments" },
    name,
    namespace: "shop",
    operation: "CREATE",
    userInfo: { username: "ann" },
    object: object(name, replicas),
  },
});
const event = (verb: string, more: object = {}) => ({
  apiVersion: "audit.k8s.io/v1",
  kind: "Event",
  stage: "ResponseComplete",
  verb,
  user: { username: "ann", groups: ["system:authenticated"] },
  objectRef: { resource: "deployments", namespace: "shop", name: "web", apiGroup: "apps", apiVersion: "v1" },
  requestObject: object("web", 4),
  ...more,
});
const lines = (...objects: unknown[]) => objects.map((each) => `${JSON.stringify(each)}\n`).join("");

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "shieldctl-replay-"));
  const namespace = "---\n{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {tier: prod}}}\n";
  for (const [name, most] of [
    ["old", 5],
    ["new", 3],
  ] as const) {
    await mkdir(file(name));
    await writeFile(file(`${name}/policy.yaml`), policy(most) + namespace);
  }
  await writeFile(file("reviews.jsonl"), lines(review("a", 2), review("b", 4), review("c", 9)));
  await writeFile(file("same.jsonl"), lines(review("a", 2)));
  await writeFile(file("review.yaml"), JSON.stringify(review("b", 4)));
  await writeFile(
    file("audit.log"),
    lines(
      event("create"),
      event("update"),
      event("get"),
      event("patch"),
      event("create", { stage: "RequestReceived" }),
      event("create", { requestObject: undefined }),
    ),
  );
  await writeFile(file("pods.jsonl"), lines({ apiVersion: "v1", kind: "Pod" }));
  await writeFile(file("torn.jsonl"), '{"apiVersion":\n');
});
afterAll(async () => rm(folder, { recursive: true }));

describe("shieldctl policy replay", () => {
  it("shows what is decided otherwise, with its place and words", async () => {
    const { code, stdout, stderr } = await run("reviews.jsonl");
    expect(code).toBe(1);
    expect(stdout).toMatch(/reviews\.jsonl:2 +CREATE Deployment shop\/b +allowed -> denied +\+ .*at most 3/);
    expect(stdout).toMatch(
      /reviews\.jsonl:3 +CREATE Deployment shop\/c +message +- .*at most 5.*; \+ .*at most 3/,
    );
    expect(stdout).not.toContain("shop/a");
    expect(stderr).toBe(
      "3 requests: 1 refused that passed, 0 let pass that were refused, 1 with another message, 1 as before\n",
    );
  });

  it("reads the audit log, and says what it passes over", async () => {
    const { code, stdout, stderr } = await run("audit.log", "-o", "json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      requests: 2,
      counts: { denied: 2, allowed: 0, message: 0, none: 0 },
      changes: [
        { line: 1, request: "CREATE Deployment shop/web" },
        { line: 2, request: "UPDATE Deployment shop/web" },
      ],
    });
    expect(stderr).toContain("passed over: 1 requests that change nothing");
    expect(stderr).toContain("passed over: 1 audit events of patch");
    expect(stderr).toContain("passed over: 1 earlier stages");
    expect(stderr).toContain("passed over: 1 audit events without requestObject");
  });

  it.each<[number, string, string[]]>([
    [0, "same.jsonl", []],
    [1, "review.yaml", []],
    [1, "reviews.jsonl", ["--fail-on", "denied"]],
    [0, "reviews.jsonl", ["--fail-on", "none"]],
    [2, "pods.jsonl", []],
    [2, "torn.jsonl", []],
    [2, "nowhere.jsonl", []],
    [2, "same.jsonl", ["--cluster"]],
  ])("exits with %i for %s %j", async (code, records, flags) => {
    expect((await run(records, ...flags)).code).toBe(code);
  });

  it("says which namespaces it does not know where policies choose by their labels", async () => {
    const elsewhere = { ...review("d", 9), request: { ...review("d", 9).request, namespace: "elsewhere" } };
    await writeFile(file("elsewhere.jsonl"), lines(elsewhere));
    const { code, stderr } = await run("elsewhere.jsonl");
    expect(code).toBe(0);
    expect(stderr).toContain("about none of them: elsewhere; give the Namespaces with --known");
    await writeFile(
      file("namespace.yaml"),
      "{apiVersion: v1, kind: Namespace, metadata: {name: elsewhere, labels: {tier: prod}}}",
    );
    const known = await run("elsewhere.jsonl", "--known", file("namespace.yaml"));
    expect(known).toMatchObject({ code: 1, stderr: expect.not.stringContaining("elsewhere") });
  });

  it("is a case for each request in JUnit", async () => {
    const { stdout } = await run("reviews.jsonl", "-o", "junit");
    expect(stdout).toContain('tests="3" failures="2"');
  });
});

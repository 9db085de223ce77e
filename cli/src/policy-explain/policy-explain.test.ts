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
  const words = argv.map((word) => (/\.(yaml|json)$/.test(word) ? file(word) : word));
  const code = await main(["policy", "explain", ...words], terminal);
  return { code, stdout: terminal.stdout, stderr: terminal.stderr };
}

const policy = `
apiVersion: shieldx.io/v1alpha1
kind: ShieldPolicy
metadata: {name: few}
spec:
  engine: cel
  actions: {admission: deny}
  paramKind: {apiVersion: v1, kind: ConfigMap}
  paramRef: {name: limits, parameterNotFoundAction: Allow}
  exceptions: {namespaces: {names: [shop]}}
  matchConstraints:
    namespaceSelector: {matchLabels: {tier: prod}}
    resourceRules:
      - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}
  matchConditions:
    - {name: no-robot, expression: "!request.userInfo.?username.orValue('').startsWith('system:')"}
  variables:
    - {name: most, expression: "int(params.data.most)"}
  validations:
    - expression: object.spec.replicas <= variables.most || object.metadata.name == 'big'
      messageExpression: "'at most ' + string(variables.most)"
    - expression: object.spec.images.all(i, i.startsWith('docker.io/'))
      message: only docker.io
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: limits, namespace: shop}, data: {most: "2"}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {tier: prod}}}
`;
const exception = (names: string, until: string) => `
---
apiVersion: shieldx.io/v1alpha1
kind: ShieldException
metadata: {name: e, namespace: shop}
spec: {policies: [few], match: {names: [${names}]}, owner: me@example.com, reason: until it is mended, expiresAt: "${until}"}
`;
const deployment = (replicas: number, namespace = "shop", images = "docker.io/a, quay.io/b") =>
  `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: ${namespace}}, spec: {replicas: ${replicas}, images: [${images}]}}`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "shieldctl-explain-"));
  const soon = new Date(Date.now() + 86_400_000).toISOString();
  await writeFile(file("few.yaml"), policy);
  await writeFile(file("warns.yaml"), policy.replace("admission: deny", "admission: warn"));
  await writeFile(file("excepted.yaml"), policy + exception("web", soon));
  await writeFile(file("expired.yaml"), policy + exception("web", "2020-01-01T00:00:00Z"));
  await writeFile(file("about-others.yaml"), policy + exception("other", soon));
  await writeFile(file("three.yaml"), deployment(3));
  await writeFile(file("one.yaml"), deployment(1, "shop", "docker.io/a"));
  await writeFile(file("elsewhere.yaml"), deployment(3, "test"));
  const psa = "{engine: podSecurity, podSecurity: {level: baseline}, actions: {admission: deny}}";
  await writeFile(
    file("psa.yaml"),
    `{apiVersion: shieldx.io/v1alpha1, kind: ShieldPolicy, metadata: {name: psa}, spec: ${psa}}`,
  );
  await writeFile(
    file("pod.yaml"),
    "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {hostNetwork: true, containers: []}}",
  );
  const request = {
    uid: "1",
    kind: { group: "apps", version: "v1", kind: "Deployment" },
    resource: { group: "apps", version: "v1", resource: "deployments" },
    namespace: "shop",
    name: "web",
    operation: "CREATE",
    userInfo: { username: "system:robot" },
    object: { metadata: { name: "web" }, spec: { replicas: 9, images: [] } },
  };
  const review = { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request };
  await writeFile(file("review.json"), JSON.stringify(review));
  await writeFile(
    file("bad-review.json"),
    JSON.stringify({ ...review, request: { ...request, operation: "LIST" } }),
  );
});
afterAll(async () => rm(folder, { recursive: true }));

describe("shieldctl policy explain", () => {
  it("shows which rule is broken, and what each of its parts came to", async () => {
    const { code, stdout, stderr } = await run("-f", "three.yaml", "--policies", "few.yaml");
    expect(code).toBe(1);
    expect(stderr).toBe("1 request, 1 refused\n");
    expect(stdout.split("\n").slice(1)).toEqual([
      '  few (cel, deny): broken: ShieldPolicy "few" refuses Deployment "shop/web": at most 2; only docker.io',
      '    with parameters "limits":',
      `    validations[0]: broken ("at most 2"): object.spec.replicas <= variables.most || object.metadata.name == 'big'`,
      "      object.spec.replicas <= variables.most = false",
      "        object.spec.replicas = 3",
      "        variables.most = 2",
      `      object.metadata.name == 'big' = false`,
      `        object.metadata.name = "web"`,
      `    validations[1]: broken ("only docker.io"): object.spec.images.all(i, i.startsWith('docker.io/'))`,
      "      object.spec.images = [docker.io/a, quay.io/b]",
      "      i.startsWith('docker.io/') = true, false",
      `        i = "docker.io/a", "quay.io/b"`,
      "    variables.most = 2: int(params.data.most)",
      `      params.data.most = "2"`,
      "",
    ]);
  });

  it("says what is kept, and shows why with --verbose", async () => {
    const quiet = await run("-f", "one.yaml", "--policies", "few.yaml");
    expect(quiet).toMatchObject({ code: 0, stderr: "1 request, 0 refused\n" });
    expect(quiet.stdout).toMatch(/few \(cel, deny\): kept: no rule is broken\n$/);
    expect((await run("-f", "one.yaml", "--policies", "few.yaml", "-v")).stdout).toMatch(
      /condition no-robot: true: [\s\S]+validations\[0\]: kept: [\s\S]+object\.spec\.replicas = 1\n/,
    );
  });

  it.each<[string, string[], string]>([
    [
      "operation",
      ["-f", "three.yaml", "--operation", "DELETE"],
      "resourceRules do not cover DELETE of deployments",
    ],
    [
      "namespace",
      ["-f", "elsewhere.yaml"],
      'namespaceSelector does not choose namespace "test", whose labels are',
    ],
    ["condition", ["-f", "three.yaml", "--as", "system:robot"], "one of its matchConditions is false"],
    ["recorded request", ["-f", "review.json"], `username.orValue('') = "system:robot"`],
  ])("says why a policy is not about it: %s", async (_, argv, why) => {
    const { code, stdout } = await run(...argv, "--policies", "few.yaml", "-v");
    expect(code).toBe(0);
    expect(stdout).toContain("few (cel, deny): not about it: ");
    expect(stdout).toContain(why);
    expect((await run(...argv, "--policies", "few.yaml")).stdout).toContain("1 policy is not about it");
  });

  it("says which exceptions count, and why others do not", async () => {
    const told = async (policies: string) => run("-f", "three.yaml", "--policies", policies);
    const excepted = await told("excepted.yaml");
    expect(excepted.code).toBe(0);
    expect(excepted.stdout).toContain('exempted: ShieldException "shop/e" sets it aside');
    expect(excepted.stdout).toContain('ShieldException "shop/e" counts: sets aside everything until ');
    expect(await told("expired.yaml")).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('"shop/e" does not count: its expiresAt has passed'),
    });
    expect((await told("about-others.yaml")).stdout).toContain("its spec.match does not cover this object");
  });

  it("refuses only where the action is deny", async () => {
    const { code, stdout } = await run("-f", "three.yaml", "--policies", "warns.yaml");
    expect(code).toBe(0);
    expect(stdout).toContain('few (cel, warn): broken: ShieldPolicy "few" warns about Deployment');
  });

  it("judges an UPDATE with the object as it was, and asks for it", async () => {
    const update = ["-f", "three.yaml", "--policies", "few.yaml", "--operation", "UPDATE"];
    expect(await run(...update)).toMatchObject({
      code: 2,
      stderr: 'error: UPDATE of Deployment "web": give it as it was before with --old <file>\n',
    });
    expect((await run(...update, "--old", "one.yaml")).stdout).toContain("at most 2");
  });

  it("names the broken checks of a Pod security policy", async () => {
    const { code, stdout } = await run("-f", "pod.yaml", "--policies", "psa.yaml");
    expect(code).toBe(1);
    expect(stdout).toMatch(/psa \(podSecurity, deny\): broken: [\s\S]+ hostNamespaces: .*hostNetwork=true/);
  });

  it("prints nothing of an object that a terminal would act on, or that looks like a line of its own", async () => {
    const key = "k\u001b[2J\n  other (cel, deny): kept: no rule is broken";
    const object = {
      ...{ apiVersion: "apps/v1", kind: "Deployment" },
      metadata: { name: "n\u001b]0;title\u0007", namespace: "shop" },
      spec: { replicas: 3, images: [key, "v\u009b31m\u202e"] },
    };
    await writeFile(file("hostile.json"), JSON.stringify(object));
    const { code, stdout } = await run("-f", "hostile.json", "--policies", "few.yaml", "-v");
    expect(code).toBe(1);
    expect(stdout).toContain("v\ufffd31m\ufffd");
    expect(stdout.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    expect(stdout).not.toMatch(/^ *other \(cel/m);
  });

  it("prints JSON", async () => {
    const { stdout } = await run("-f", "three.yaml", "--policies", "few.yaml", "-o", "json");
    const [request] = JSON.parse(stdout).requests;
    expect(request).toMatchObject({ operation: "CREATE", namespace: "shop", name: "web", isRefused: true });
    expect(request.policies[0]).toMatchObject({ policy: "few", conclusion: "breaks" });
    expect(request.policies[0].runs[0].rules[0]).toMatchObject({
      verdict: "broken",
      parts: expect.arrayContaining([
        { expression: "object.spec.replicas", values: ["3"], times: 1, depth: 2 },
      ]),
    });
  });

  it.each<[string, string[], string]>([
    ["no policies", ["-f", "three.yaml"], "say where the policies are"],
    ["both", ["-f", "three.yaml", "--policies", "few.yaml", "--cluster"], "say where the policies are"],
    ["no object", ["--policies", "few.yaml"], "with --file"],
    [
      "an unknown policy",
      ["-f", "three.yaml", "--policies", "few.yaml", "--policy", "x"],
      "--policy x: there is no",
    ],
    [
      "a bad review",
      ["-f", "bad-review.json", "--policies", "few.yaml"],
      "AdmissionReview: request.operation",
    ],
  ])("exits 2 for %s", async (_, argv, expected) => {
    const { code, stderr } = await run(...argv);
    expect({ code, lines: stderr.trim().split("\n").length }).toEqual({ code: 2, lines: 1 });
    expect(stderr).toContain(expected);
  });
});

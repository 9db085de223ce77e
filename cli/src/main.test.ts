import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main } from "./main.ts";
import { recordingTerminal } from "./recording-terminal.test-kit.ts";

const run = async (...argv: string[]) => {
  const terminal = recordingTerminal();
  const code = await main(argv, terminal);
  return { code, stdout: terminal.stdout, stderr: terminal.stderr };
};

let folder: string;
const file = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "shieldctl-main-"));
  const policy = (name: string, spec: string) =>
    `apiVersion: shieldx.io/v1alpha1\nkind: ShieldPolicy\nmetadata: {name: ${name}}\nspec:\n${spec}`;
  await writeFile(
    file("deny.yaml"),
    policy(
      "deny-baseline",
      "  engine: podSecurity\n  podSecurity: {level: baseline}\n  actions: {admission: deny}\n",
    ),
  );
  await writeFile(
    file("warn.yaml"),
    policy(
      "warn-baseline",
      "  engine: podSecurity\n  podSecurity: {level: baseline}\n  actions: {admission: warn}\n",
    ),
  );
  await writeFile(
    file("broken.yaml"),
    policy(
      "broken",
      "  engine: podSecurity\n  podSecurity: {level: paranoid}\n  actions: {admission: deny}\n",
    ),
  );
  await writeFile(
    file("cel.yaml"),
    policy(
      "native",
      "  engine: cel\n  matchConstraints:\n    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}]\n  validations: [{expression: 'true'}]\n  paramKind: {apiVersion: v1, kind: ConfigMap}\n  paramRef: {name: limits, parameterNotFoundAction: Deny}\n  actions: {admission: deny}\n",
    ),
  );
  await writeFile(
    file("no-host-network.yaml"),
    policy(
      "no-host-network",
      "  engine: cel\n  matchConstraints:\n    resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]\n  validations: [{expression: '!has(object.spec.hostNetwork) || !object.spec.hostNetwork', message: no host network}]\n  actions: {admission: deny}\n",
    ),
  );
  await writeFile(
    file("bad-pod.yaml"),
    "# a comment\napiVersion: v1\nkind: Pod\nmetadata: {name: bad}\nspec: {hostNetwork: true, containers: [{name: a, image: i}]}\n",
  );
  await writeFile(
    file("good-pod.yaml"),
    "apiVersion: v1\nkind: Pod\nmetadata: {name: good}\nspec: {containers: [{name: a, image: i}]}\n",
  );
});
afterAll(async () => rm(folder, { recursive: true }));

describe("shieldctl policy check", () => {
  it("exits 1 for what a policy denies and says where, what and why", async () => {
    const { code, stdout, stderr } = await run(
      "policy",
      "check",
      "-f",
      file("bad-pod.yaml"),
      "--policies",
      file("deny.yaml"),
    );
    expect(code).toBe(1);
    expect(stdout).toMatch(/bad-pod\.yaml:2 +Pod bad +deny-baseline +deny +.*hostNetwork=true/);
    expect(stderr).toContain("1 objects checked, 1 denied");
  });
  it("exits 0 for what keeps the policies", async () => {
    expect(
      await run("policy", "check", "-f", file("good-pod.yaml"), "--policies", file("deny.yaml")),
    ).toMatchObject({ code: 0, stdout: "" });
  });
  it("lets --fail-on choose from where on it fails", async () => {
    const check = (...more: string[]) =>
      run("policy", "check", "-f", file("bad-pod.yaml"), "--policies", file("warn.yaml"), ...more);
    expect((await check()).code).toBe(0);
    expect((await check("--fail-on", "warn")).code).toBe(1);
    expect((await check("--fail-on", "none")).code).toBe(0);
  });
  it("prints JSON and SARIF that parse", async () => {
    const check = (format: string) =>
      run("policy", "check", "-f", file("bad-pod.yaml"), "--policies", file("deny.yaml"), "-o", format);
    expect(JSON.parse((await check("json")).stdout)).toMatchObject({
      checked: 1,
      findings: [{ policy: "deny-baseline", action: "deny", line: 2 }],
    });
    expect(JSON.parse((await check("sarif")).stdout).runs[0].results[0]).toMatchObject({
      ruleId: "deny-baseline",
      level: "error",
    });
  });
  it("reads manifests as an API server does, into the namespace that is given", async () => {
    const policy = (name: string, expression: string) => `---
apiVersion: shieldx.io/v1alpha1
kind: ShieldPolicy
metadata: {name: ${name}}
spec:
  engine: cel
  actions: {admission: deny}
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
  validations: [{expression: "${expression}", message: "no"}]
`;
    await writeFile(
      file("as-read.yaml"),
      policy("no-environment", "object.spec.containers.all(c, c.?env.orValue([]).size() == 0)") +
        policy("own-account", "has(object.spec.serviceAccountName)") +
        policy("of-the-shop", "request.namespace == 'shop'"),
    );
    await writeFile(
      file("as-charts-write.yaml"),
      "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  serviceAccount: own\n  containers:\n    - name: a\n      image: i\n      env:\n",
    );
    const check = (...more: string[]) =>
      run("policy", "check", "-f", file("as-charts-write.yaml"), "--policies", file("as-read.yaml"), ...more);
    expect(await check("--namespace", "shop")).toMatchObject({ code: 0, stdout: "" });
    expect((await check()).stdout).toMatch(/of-the-shop +deny/);
  });
  it("evaluates expressions as the API server would", async () => {
    const check = (pod: string) =>
      run("policy", "check", "-f", file(pod), "--policies", file("no-host-network.yaml"));
    const refused = await check("bad-pod.yaml");
    expect(refused).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/no-host-network +deny +no host network/),
    });
    expect((await check("good-pod.yaml")).code).toBe(0);
  });
  it("says which policies it cannot evaluate offline", async () => {
    expect(
      (await run("policy", "check", "-f", file("bad-pod.yaml"), "--policies", file("cel.yaml"))).stderr,
    ).toContain('"native" is not checked offline');
  });
  it.each([
    [
      "a policy that is not valid",
      ["-f", "good-pod.yaml", "--policies", "broken.yaml"],
      "spec.podSecurity.level",
    ],
    ["no policy at all", ["-f", "good-pod.yaml", "--policies", "good-pod.yaml"], "no ShieldPolicy in"],
    ["a file that is not there", ["-f", "none.yaml", "--policies", "deny.yaml"], "no such file"],
    [
      "a policy given twice",
      ["-f", "good-pod.yaml", "--policies", "deny.yaml", "--policies", "deny.yaml"],
      "given twice",
    ],
    [
      "an unusable version",
      ["-f", "good-pod.yaml", "--policies", "deny.yaml", "--kubernetes-version", "latest"],
      "write it as 1.37",
    ],
  ])("exits 2 for %s", async (_, argv, expected) => {
    const { code, stderr } = await run(
      "policy",
      "check",
      ...argv.map((a) => (a.endsWith(".yaml") ? file(a) : a)),
    );
    expect(code).toBe(2);
    expect(stderr).toContain(expected);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });
});

describe("shieldctl", () => {
  it("explains itself", async () => {
    expect(await run("--help")).toMatchObject({ code: 0, stdout: expect.stringContaining("Exit codes") });
    expect((await run("policy", "check", "--help")).stdout).toContain("Needs no cluster");
  });
  it("exits 2 for words it does not know, pointing at --help", async () => {
    expect(await run("polcy")).toMatchObject({ code: 2, stderr: expect.stringContaining("--help") });
    expect((await run("policy", "check", "-f", "x")).code).toBe(2);
    expect((await run("completion", "tcsh")).stderr).toContain("bash, zsh or fish");
  });
  it("prints its own version without a cluster", async () => {
    expect(await run("version", "--client")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^shieldctl: \d/),
    });
    expect(JSON.parse((await run("version", "--client", "-o", "json")).stdout)).toHaveProperty("shieldctl");
  });
  it("says in one line what is wrong with a kubeconfig, and exits 1", async () => {
    for (const argv of [["status"], ["version"]]) {
      const { code, stderr } = await run(...argv, "--kubeconfig", file("none"));
      expect(code).toBe(1);
      expect(stderr.trim().split("\n")).toHaveLength(1);
      expect(stderr).toContain(file("none"));
    }
  });
  it("says in one line that a server cannot be reached", async () => {
    await writeFile(
      file("kubeconfig"),
      "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {token: t}}]\n",
    );
    const { code, stderr } = await run("status", "--kubeconfig", file("kubeconfig"));
    expect(code).toBe(1);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toContain("127.0.0.1:1");
  });
});

describe("completion", () => {
  it("completes in a real bash", async () => {
    const { stdout: script } = await run("completion", "bash");
    const complete = async (...words: string[]) => {
      const program = `${script}\nCOMP_WORDS=(${words.map((w) => `"${w}"`).join(" ")}); COMP_CWORD=${words.length - 1}; _shieldctl; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return (await promisify(execFile)("bash", ["-c", program])).stdout.trim().split("\n");
    };
    expect(await complete("shieldctl", "po")).toEqual(["policy"]);
    expect(await complete("shieldctl", "policy", "check", "--pol")).toEqual(["--policies"]);
    expect(await complete("shieldctl", "-")).toContain("--help");
  });
  it("is also there for zsh and fish", async () => {
    expect((await run("completion", "zsh")).stdout).toContain("#compdef shieldctl");
    expect((await run("completion", "fish")).stdout).toContain("complete -c shieldctl");
  });
});

// What pipelines of users run: the GitHub Action's scripts as a runner runs them, and pre-commit itself with our hooks.
import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { selfSignedCertificate } from "../../../packages/policy-engine/testing/cel-oracle/self-signed.ts";
import { runCommand } from "../../cluster/index.ts";
import { buildShieldctl, pipelineTools, root } from "./tools.test-kit.ts";

interface Step {
  readonly id?: string;
  readonly name: string;
  readonly shell?: string;
  readonly run?: string;
  readonly uses?: string;
  readonly env?: Readonly<Record<string, string>>;
}
interface Action {
  readonly inputs: Readonly<Record<string, { readonly default?: string; readonly required?: boolean }>>;
  readonly outputs: Readonly<Record<string, { readonly value: string }>>;
  readonly runs: { readonly using: string; readonly steps: readonly Step[] };
}

const actionFolder = join(root, "deploy/github-action");
const tools = await pipelineTools();
let action: Action;
let scratch: string;
let shieldctl: string;
/** A repository of a user. */
let workspace: string;

const policies = `apiVersion: shieldx.io/v1alpha1
kind: ShieldPolicy
metadata: {name: few-replicas}
spec:
  engine: cel
  actions: {admission: deny}
  matchConstraints:
    resourceRules:
      - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}
  validations:
    - expression: object.spec.replicas <= 5
      messageExpression: "'spec.replicas: too many for ' + object.metadata.name"
  tests:
    - name: five are fine
      object: {apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 5}}
      expect: {decision: allow}
    - name: six are not
      object: {apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 6}}
      expect: {decision: deny}
`;
const deployment = (replicas: number, name = "web") =>
  `{apiVersion: apps/v1, kind: Deployment, metadata: {name: ${name}}, spec: {replicas: ${replicas}}}\n`;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "pipelines-"));
  shieldctl = await buildShieldctl(join(scratch, "release"));
  action = parse(await readFile(join(actionFolder, "action.yml"), "utf8")) as Action;
}, 60_000);
afterAll(async () => rm(scratch, { recursive: true, force: true }));
beforeEach(async () => {
  workspace = await mkdtemp(join(scratch, "workspace-"));
  await mkdir(join(workspace, "policies"));
  await mkdir(join(workspace, "deploy"));
  await writeFile(join(workspace, "policies/few.yaml"), policies);
  await writeFile(join(workspace, "deploy/web.yaml"), deployment(3));
});

interface Ran {
  readonly code: number;
  readonly log: string;
  readonly summary: string;
  readonly outputs: Readonly<Record<string, string>>;
}

/** The steps that are scripts, with the environment a runner gives them. */
async function runAction(
  inputs: Readonly<Record<string, string>>,
  { hasShieldctl = true, env = {} as Record<string, string> } = {},
): Promise<Ran> {
  const temporary = await mkdtemp(join(scratch, "runner-"));
  const files = { GITHUB_OUTPUT: "output", GITHUB_STEP_SUMMARY: "summary", GITHUB_PATH: "path" };
  for (const name of Object.values(files)) await writeFile(join(temporary, name), "");
  const read = async (name: string) => await readFile(join(temporary, name), "utf8");
  let log = "";
  let code = 0;
  for (const step of action.runs.steps.filter(({ run }) => run !== undefined)) {
    const paths = (await read("path")).split("\n").filter((path) => path !== "");
    const ran = await runCommand("bash", ["--noprofile", "--norc", "-eo", "pipefail", "-c", step.run ?? ""], {
      cwd: workspace,
      env: {
        // As a runner has it, but for programs: ours are where node and the user's own tools are.
        PATH: [
          ...paths,
          ...(hasShieldctl ? [dirname(shieldctl)] : []),
          dirname(process.execPath),
          "/usr/bin",
          "/bin",
        ].join(":"),
        HOME: temporary,
        RUNNER_TEMP: temporary,
        GITHUB_ACTION_PATH: actionFolder,
        GITHUB_WORKSPACE: workspace,
        ...Object.fromEntries(Object.entries(files).map(([name, file]) => [name, join(temporary, file)])),
        ...Object.fromEntries(
          Object.entries(step.env ?? {}).map(([name, text]) => [name, inputValue(text, inputs)]),
        ),
        ...env,
      },
    });
    log += ran.stdout + ran.stderr;
    code = ran.code;
    if (code !== 0) break;
  }
  const outputs = Object.fromEntries(
    (await read("output"))
      .split("\n")
      .filter((line) => line.includes("="))
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
  return { code, log, summary: await read("summary"), outputs };
}

/** What the runner makes of `${{ inputs.x }}`. */
function inputValue(text: string, inputs: Readonly<Record<string, string>>): string {
  const name = /^\$\{\{ inputs\.([a-z0-9-]+) \}\}$/.exec(text)?.[1];
  const input = name === undefined ? undefined : action.inputs[name];
  if (name === undefined || input === undefined) throw new Error(`no input: ${text}`);
  return inputs[name] ?? input.default ?? "";
}

const check = { command: "check", policies: "policies/", files: "deploy/" };

describe("the GitHub Action", () => {
  it("passes what policies let pass, and writes SARIF", async () => {
    const { code, log, summary, outputs } = await runAction(check);
    expect({ code, outputs }).toEqual({
      code: 0,
      outputs: { "exit-code": "0", "sarif-file": "shieldx.sarif" },
    });
    expect(log).toContain("1 objects checked, 0 denied");
    expect(summary).toContain("### shieldctl policy check\n\n    ");
    const sarif = JSON.parse(await readFile(join(workspace, "shieldx.sarif"), "utf8"));
    expect(sarif).toMatchObject({ version: "2.1.0", runs: [{ results: [] }] });
  });

  it("fails for what is refused, with the place of each finding relative to the repository", async () => {
    await writeFile(join(workspace, "deploy/many.yaml"), deployment(9));
    const { code, log, summary, outputs } = await runAction({ ...check, "sarif-file": "out/found.sarif" });
    expect({ code, outputs }).toEqual({
      code: 1,
      outputs: { "exit-code": "1", "sarif-file": "out/found.sarif" },
    });
    expect(log).toMatch(/deploy\/many\.yaml:1 +Deployment web +few-replicas +deny/);
    expect(summary).toMatch(/^ {4}deploy\/many\.yaml:1 /m);
    const sarif = JSON.parse(await readFile(join(workspace, "out/found.sarif"), "utf8"));
    const [{ locations }] = sarif.runs[0].results;
    expect(locations[0].physicalLocation.artifactLocation.uri).toBe("deploy/many.yaml");
  });

  it("runs tests, and lints", async () => {
    expect(await runAction({ command: "test", policies: "policies/" })).toMatchObject({ code: 0 });
    expect(
      await runAction({ command: "lint", policies: "policies/\n\n  policies/few.yaml \n" }),
    ).toMatchObject({
      outputs: { "sarif-file": "shieldx.sarif" },
    });
    await writeFile(join(workspace, "policies/few.yaml"), policies.replace("<= 5", "<= 4"));
    const failed = await runAction({ command: "test", policies: "policies/" });
    expect(failed).toMatchObject({ code: 1, log: expect.stringContaining("five are fine") });
  });

  it.each<[string, Record<string, string>]>([
    ["command: must be", { ...check, command: "check; id" }],
    ["policies: name", { ...check, policies: " \n" }],
    ["files: name", { ...check, files: "" }],
    ["fail-on: is for", { command: "test", policies: "policies/", "fail-on": "none" }],
    ["sarif-file: must be", { ...check, "sarif-file": "a\nexit-code=0" }],
  ])("says what is wrong with its inputs: %s", async (message, inputs) => {
    const { code, log, outputs } = await runAction(inputs);
    expect({ code, outputs }).toEqual({ code: 2, outputs: {} });
    expect(log).toContain(`::error title=ShieldX::${message}`);
  });

  it("leaves no SARIF of wrong input behind", async () => {
    const { code, outputs } = await runAction({ ...check, policies: "nowhere/" });
    expect({ code, outputs }).toEqual({ code: 2, outputs: { "exit-code": "2" } });
    await expect(readFile(join(workspace, "shieldx.sarif"))).rejects.toThrow("ENOENT");
  });

  it("takes no input and no manifest for a command, to the shell or to the runner", async () => {
    const name = "web$(touch injected)";
    await writeFile(
      join(workspace, "deploy/many.yaml"),
      deployment(9, JSON.stringify(`${name}\n::add-path::/evil`)),
    );
    const evil = "deploy/$(touch injected);touch injected\ndeploy/";
    await mkdir(join(workspace, "deploy/$(touch injected);touch injected"));
    const { code, log } = await runAction({ ...check, files: evil, "fail-on": "deny" });
    expect(code).toBe(1);
    await expect(readFile(join(workspace, "injected"))).rejects.toThrow("ENOENT");
    const [, token] = /::stop-commands::(\S+)\n/.exec(log) ?? [];
    expect(token).toBeDefined();
    const begin = log.indexOf(`::stop-commands::${token}`);
    const end = log.indexOf(`::${token}::`);
    const outside = log.slice(0, begin) + log.slice(end);
    expect(outside).not.toContain("::add-path");
    expect(log.slice(begin, end)).toContain("few-replicas");
  });

  describe("with a release", () => {
    const served = selfSignedCertificate("127.0.0.1", Date.now(), "releases");
    const server = createServer(
      { cert: served.certificatePem, key: served.privateKeyPem },
      async (request, response) => {
        const body = await readFile(join(scratch, "release", `${request.url}`)).catch(() => undefined);
        response.writeHead(body === undefined ? 404 : 200).end(body);
      },
    );
    let url: string;
    let sha256: string;
    let env: Record<string, string>;
    beforeAll(async () => {
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      sha256 = createHash("sha256")
        .update(await readFile(shieldctl))
        .digest("hex");
      const authorities = join(scratch, "authorities.pem");
      await writeFile(authorities, served.certificatePem);
      env = { CURL_CA_BUNDLE: authorities };
    });
    afterAll(() => {
      server.closeAllConnections();
      server.close();
    });

    it("downloads shieldctl, and uses it only with the digest that was given", async () => {
      const inputs = { ...check, "download-url": url, "shieldctl-sha256": sha256 };
      const from = { hasShieldctl: false, env };
      expect(await runAction(inputs, from)).toMatchObject({ code: 0 });
      const wrong = await runAction({ ...inputs, "shieldctl-sha256": "0".repeat(64) }, from);
      expect(wrong).toMatchObject({
        code: 1,
        log: expect.stringContaining("has another digest"),
        outputs: {},
      });
    });

    it.each<[string, Record<string, string>]>([
      ["shieldctl is not on PATH", {}],
      ["must begin with https://", { "download-url": "http://127.0.0.1/" }],
      ["shieldctl-sha256: must be", { "download-url": "https://127.0.0.1/", "shieldctl-sha256": "latest" }],
    ])("says what is missing: %s", async (message, inputs) => {
      const { code, log } = await runAction({ ...check, ...inputs }, { hasShieldctl: false });
      expect({ code, log }).toEqual({ code: 1, log: expect.stringContaining(message) });
    });
  });

  it("is pinned, and its scripts hold no expressions", () => {
    const { steps } = action.runs;
    expect(steps.map(({ uses }) => uses).filter((uses) => uses !== undefined)).toEqual([
      expect.stringMatching(/^actions\/setup-node@[0-9a-f]{40}$/),
      expect.stringMatching(/^github\/codeql-action\/upload-sarif@[0-9a-f]{40}$/),
    ]);
    for (const { run } of steps) expect(run ?? "").not.toContain("${{");
    const used = steps.flatMap(({ env = {} }) => Object.values(env)).join();
    for (const name of Object.keys(action.inputs))
      if (name !== "upload-sarif") expect(used).toContain(`inputs.${name} `);
  });

  it.skipIf(tools === undefined)(
    "keeps the published schemas, and an auditor finds nothing in it",
    async () => {
      const readme = await readFile(join(actionFolder, "README.md"), "utf8");
      const workflow = /```yaml\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
      const folder = await mkdtemp(join(scratch, "audited-"));
      const workflows = join(folder, ".github/workflows");
      await mkdir(workflows, { recursive: true });
      await writeFile(join(workflows, "policies.yml"), workflow);
      await cp(join(actionFolder, "action.yml"), join(folder, "action.yml"));
      const validate = async (schema: string, file: string) =>
        await runCommand(join(`${tools}`, "check-jsonschema"), ["--builtin-schema", schema, file], {
          cwd: folder,
        });
      expect(await validate("vendor.github-actions", "action.yml")).toMatchObject({ code: 0 });
      expect(await validate("vendor.github-workflows", ".github/workflows/policies.yml")).toMatchObject({
        code: 0,
      });
      // That these can fail at all.
      await writeFile(join(folder, "broken.yml"), "name: x\nruns: {using: composite, steps: [{uses: 1}]}\n");
      expect((await validate("vendor.github-actions", "broken.yml")).code).not.toBe(0);
      const audit = async (...files: string[]) =>
        await runCommand(join(`${tools}`, "zizmor"), ["--offline", "--format", "plain", ...files], {
          cwd: folder,
        });
      const { code, stdout, stderr } = await audit("action.yml", ".github/workflows/policies.yml");
      expect(code, stdout + stderr).toBe(0);
      const injected = (await readFile(join(folder, "action.yml"), "utf8")).replace(
        'run: bash "$GITHUB_ACTION_PATH/run.sh"',
        ["run: echo $", "{{ inputs.files }}"].join(""),
      );
      await mkdir(join(folder, "injected"));
      await writeFile(join(folder, "injected/action.yml"), injected);
      expect((await audit("injected/action.yml")).code).not.toBe(0);
    },
  );
});

describe.skipIf(tools === undefined)("pre-commit", () => {
  const git = async (...args: string[]) => {
    const name = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
    const ran = await runCommand("git", [...name, ...args], { cwd: workspace });
    expect(ran.code, ran.stderr).toBe(0);
  };
  /** pre-commit takes hooks from a repository: one with nothing but their definition. */
  let hooks: string;
  beforeEach(async () => {
    hooks = await mkdtemp(join(scratch, "hooks-"));
    await cp(join(root, ".pre-commit-hooks.yaml"), join(hooks, ".pre-commit-hooks.yaml"));
    for (const args of [
      ["init", "-q"],
      ["add", "."],
      ["-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "hooks"],
    ])
      expect((await runCommand("git", args, { cwd: hooks })).code).toBe(0);
    const { stdout } = await runCommand("git", ["rev-parse", "HEAD"], { cwd: hooks });
    const ids = ["lint", "test", "check"].map((name) => ({ id: `shieldctl-policy-${name}` }));
    const config = { repos: [{ repo: hooks, rev: stdout.trim(), hooks: ids }] };
    await writeFile(join(workspace, ".pre-commit-config.yaml"), JSON.stringify(config));
    await git("init", "-q");
    await git("add", ".");
  });

  const preCommit = async (...args: string[]) => {
    const { code, stdout, stderr } = await runCommand(join(`${tools}`, "pre-commit"), args, {
      cwd: workspace,
      env: {
        ...process.env,
        PATH: `${dirname(shieldctl)}:${dirname(process.execPath)}:${process.env.PATH}`,
        PRE_COMMIT_HOME: join(scratch, "pre-commit"),
      },
    });
    return { code, output: stdout + stderr };
  };

  it("finds our hooks valid", async () => {
    expect(await preCommit("validate-manifest", join(root, ".pre-commit-hooks.yaml"))).toEqual({
      code: 0,
      output: "",
    });
  });

  it("runs them on what is committed, and stops a commit that a policy refuses", async () => {
    const passed = await preCommit("run");
    expect(passed, passed.output).toMatchObject({ code: 0 });
    expect(passed.output.match(/Passed/g)).toHaveLength(3);
    await writeFile(join(workspace, "deploy/web.yaml"), deployment(9));
    await git("add", ".");
    const { code, output } = await preCommit("run");
    expect(code).toBe(1);
    expect(output).toMatch(/check manifests against ShieldPolicies\.+Failed[\s\S]*too many for web/);
    expect(output.match(/Passed/g)).toHaveLength(2);
  });

  it("leaves alone what is no manifest", async () => {
    await git("-c", "core.hooksPath=/dev/null", "commit", "-qm", "first");
    await writeFile(join(workspace, "README.txt"), "text\n");
    await git("add", "README.txt");
    const { code, output } = await preCommit("run");
    expect({ code, skipped: output.match(/Skipped/g)?.length }).toEqual({ code: 0, skipped: 3 });
  });
});

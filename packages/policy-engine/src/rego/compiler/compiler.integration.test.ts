import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { builtins as allBuiltins } from "../builtins/index.ts";
import { builtCompiler } from "../compiler.test-kit.ts";
import { compileRego } from "../evaluate/index.ts";
import { type CompileRequest, createRegoCompiler, type PlanCache, planName } from "./index.ts";

const wasmFile = await builtCompiler();

const policy = `package shieldx

deny contains msg if {
  some container in input.object.spec.containers
  not startswith(container.image, "registry.example.com/")
  msg := sprintf("%s: %s", [container.name, container.image])
}
`;

const builtins = ["sprintf", "startswith"];
const entrypoints = ["data.shieldx.deny"];
const request = (source: string, more: Partial<CompileRequest> = {}): CompileRequest => ({
  modules: { "policy.rego": source },
  entrypoints,
  builtins,
  ...more,
});

class MemoryCache implements PlanCache {
  readonly entries = new Map<string, string>();
  async get(digest: string) {
    return this.entries.get(digest);
  }
  async put(digest: string, plan: string) {
    this.entries.set(digest, plan);
  }
}

describe.skipIf(wasmFile === undefined)("the Rego compiler", () => {
  let folder: string;
  const compilerWith = (more: Partial<Parameters<typeof createRegoCompiler>[0]> = {}) =>
    createRegoCompiler({ wasmFile: wasmFile ?? "", ...more });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "rego-compiler-"));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it("plans a policy", async () => {
    const began = performance.now();
    const [outcome] = await compilerWith().compile([request(policy)]);
    console.info(
      `rego compiler: one policy in ${Math.round(performance.now() - began)} ms, process included`,
    );
    expect(outcome).toMatchObject({ ok: true });
    if (!outcome?.ok) return;
    expect(outcome.plan.plans.map(({ name }) => name)).toEqual(["shieldx/deny"]);
    expect([...outcome.plan.builtins]).toEqual([
      ["sprintf", 2],
      ["startswith", 2],
    ]);
    const input = {
      object: {
        spec: {
          containers: [
            { name: "a", image: "registry.example.com/a" },
            { name: "b", image: "x/b" },
          ],
        },
      },
    };
    const evaluated = compileRego(outcome.plan, allBuiltins);
    expect(evaluated.evaluate(planName("data.shieldx.deny"), { input, context: { nowNs: 0n } })).toEqual([
      { result: ["b: x/b"] },
    ]);
  });

  it("says where a policy is wrong, without harm to the others of the batch", async () => {
    const outcomes = await compilerWith().compile([
      request("package shieldx\n\ndeny contains x if {\n"),
      request(policy),
      request("package shieldx\n\ndeny contains x if { x := y }\n"),
      request(
        'package shieldx\n\ndeny contains http.send({"url": "http://10.0.0.1", "method": "get"}).body\n',
      ),
      request(policy, { entrypoints: ["data.shieldx.allow"] }),
      request("package shieldx\n\ndeny[x] { x := 1 }\n"),
      request("package shieldx\n\ndeny[x] { x := 1 }\n", { regoVersion: "v0" }),
    ]);
    const said = outcomes.map((outcome) => (outcome.ok ? "ok" : outcome.problems[0]));
    expect(said).toEqual([
      expect.objectContaining({ code: "rego_parse_error", file: "policy.rego", row: 4 }),
      "ok",
      expect.objectContaining({ code: "rego_unsafe_var_error", message: "var y is unsafe", row: 3, col: 22 }),
      expect.objectContaining({ code: "rego_type_error", message: "undefined function http.send" }),
      expect.objectContaining({ message: expect.stringContaining("shieldx/allow") }),
      expect.objectContaining({ code: "rego_parse_error" }),
      "ok",
    ]);
  });

  it("compiles modules of two versions as one program", async () => {
    const modules = {
      "old.rego": "package old\n\nnames[x] { x := input.names[_] }\n",
      "policy.rego": "package shieldx\n\ndeny contains x if some x in data.old.names\n",
    };
    const [mixed, turned, ...wrong] = await compilerWith().compile([
      request("", { modules, versions: { "old.rego": "v0" } }),
      request("", { modules, regoVersion: "v0", versions: { "policy.rego": "v1" } }),
      request("", { modules }),
      request("", { modules, versions: { "old.rego": "v0", "policy.rego": "v0" } }),
      request("", { modules, versions: { "other.rego": "v0" } }),
      request("", { modules, versions: { "old.rego": "v7" as "v0" } }),
    ]);
    for (const outcome of [mixed, turned]) {
      if (!outcome?.ok) throw new Error(JSON.stringify(outcome));
      const policy = compileRego(outcome.plan, allBuiltins);
      const question = { input: { names: ["b", "a"] }, context: { nowNs: 0n } };
      expect(policy.evaluate("shieldx/deny", question)).toEqual([{ result: ["a", "b"] }]);
    }
    expect(wrong.map((outcome) => (outcome.ok ? "ok" : outcome.problems[0]))).toEqual([
      expect.objectContaining({ code: "rego_parse_error", file: "old.rego", row: 3 }),
      expect.objectContaining({ code: "rego_parse_error", file: "policy.rego", row: 3 }),
      expect.objectContaining({ message: 'versions names "other.rego", which is no module' }),
      expect.objectContaining({ message: 'old.rego: regoVersion is "v7", must be v0 or v1' }),
    ]);
  });

  it("finds the rule that holds what is wrong, in either version of the language", async () => {
    const rules = ["violation", "deny"];
    const ask = (source: string, more: Partial<CompileRequest> = {}): CompileRequest => ({
      modules: { "policy.rego": source },
      rules,
      builtins,
      ...more,
    });
    const both = "package a.b\n\ndeny contains 1\n\nviolation contains 2\n";
    const outcomes = await compilerWith().compile([
      ask(both),
      ask("package a.b\n\ndeny contains 1\n"),
      ask('package a\n\nviolation[{"msg": "x"}] { input.x }\n', { regoVersion: "v0" }),
      ask("package a.b\n\nallow := true\n"),
      ask("package a", { modules: { "a.rego": "package a\n\ndeny := []", "b.rego": "package b" } }),
    ]);
    const said = outcomes.map((outcome) =>
      outcome.ok ? outcome.plan.plans.map(({ name }) => name).join() : outcome.problems[0]?.message,
    );
    expect(said).toEqual([
      "a/b/violation",
      "a/b/deny",
      "a/violation",
      "data.a.b has no rule named violation or deny: name the entrypoint",
      "the modules are of 2 packages: name the entrypoint",
    ]);
  });

  it("tells whether it works at all", async () => {
    await compilerWith().check();
    const missing = createRegoCompiler({ wasmFile: join(folder, "none.wasm") });
    await expect(missing.check()).rejects.toMatchObject({ code: "COMPILER_UNAVAILABLE" });
    await expect(compilerWith({ limits: { memoryBytes: 1024 * 1024 } }).check()).rejects.toMatchObject({
      code: "COMPILER_UNAVAILABLE",
    });
  });

  it("asks the cache first, and compiles again what is spoilt there", async () => {
    const cache = new MemoryCache();
    const [first] = await compilerWith({ cache }).compile([request(policy)]);
    expect([...cache.entries.keys()]).toEqual([first?.digest]);

    // No process could answer within a millisecond.
    const cached = compilerWith({ cache, limits: { answerTimeoutMs: 1 } });
    const [second, changed] = await cached.compile([request(policy), request(`${policy}\n# more\n`)]);
    expect(second).toEqual(first);
    expect(changed).toMatchObject({ ok: false, problems: [{ code: "compiler_timeout" }] });

    cache.entries.set(first?.digest ?? "", '{"plans": {"plans": [{"name": 1}]}}');
    const [third] = await compilerWith({ cache }).compile([request(policy)]);
    expect(third).toEqual(first);
    expect(cache.entries.get(first?.digest ?? "")).toContain("shieldx/deny");
  });

  it("goes on after a policy that is nested without end", async () => {
    const nested = `package shieldx\n\ndeny contains x if { x := ${"[".repeat(200_000)} }\n`;
    const outcomes = await compilerWith().compile([request(policy), request(nested), request(`${policy}\n`)]);
    expect(outcomes.map(({ ok }) => ok)).toEqual([true, false, true]);
  });

  it("takes a batch larger than a pipe holds, both ways", async () => {
    const rules = Array.from({ length: 300 }, (_, at) => `deny contains "${at}" if input.x == ${at}`).join(
      "\n",
    );
    const batch = Array.from({ length: 8 }, (_, at) => request(`package shieldx\n\n# ${at}\n${rules}\n`));
    const outcomes = await compilerWith().compile(batch);
    expect(outcomes.map(({ ok }) => ok)).toEqual(batch.map(() => true));
  });

  it("ends a process that takes too much memory or writes too much", async () => {
    const rules = Array.from({ length: 600 }, (_, at) => `deny contains "${at}" if input.x == ${at}`);
    const large = request(`package shieldx\n\n${rules.join("\n")}\n`);
    const [starved] = await compilerWith({ limits: { memoryBytes: 24 * 1024 * 1024 } }).compile([large]);
    expect(starved).toMatchObject({ ok: false, problems: [{ code: "compiler_crash" }] });
    const [wordy] = await compilerWith({ limits: { outputBytes: 50_000 } }).compile([large]);
    expect(wordy).toMatchObject({ ok: false, problems: [{ code: "compiler_output" }] });
  });

  it("throws where there is no compiler", async () => {
    const missing = createRegoCompiler({ wasmFile: join(folder, "none.wasm") });
    await expect(missing.compile([request(policy)])).rejects.toMatchObject({ code: "COMPILER_UNAVAILABLE" });
    const broken = join(folder, "broken.wasm");
    await writeFile(broken, "no module");
    const [outcome] = await createRegoCompiler({ wasmFile: broken }).compile([request(policy)]);
    expect(outcome).toMatchObject({ ok: false, problems: [{ code: "compiler_crash" }] });
  });
});

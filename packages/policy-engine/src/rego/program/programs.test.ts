import { describe, expect, it } from "vitest";
import { type CompileRequest, CompilerUnavailableError, type RegoCompiler } from "../compiler/index.ts";
import { loadPlan } from "../plan/index.ts";
import { PlanDraft } from "../plan.test-kit.ts";
import { RegoPrograms } from "./programs.ts";
import type { RegoSource } from "./source.ts";

const source = (module: string): RegoSource => ({ modules: { "policy.rego": module }, version: "v1" });
const draft = new PlanDraft();
const plan = loadPlan(draft.plan([], []));

/** Answers by what the module says; `isBroken` is a compiler that cannot be run. */
class FakeCompiler implements RegoCompiler {
  isBroken = false;
  readonly batches: string[][] = [];

  async compile(requests: readonly CompileRequest[]) {
    const modules = requests.map((request) => Object.values(request.modules)[0] ?? "");
    this.batches.push(modules);
    await this.check();
    return modules.map((module) => {
      const digest = module;
      if (module === "good") return { ok: true as const, plan, digest };
      const code = module === "heavy" ? "compiler_timeout" : "rego_parse_error";
      return {
        ok: false as const,
        digest,
        problems: [{ code, message: "m", file: "policy.rego", row: 2, col: 3 }],
      };
    });
  }

  async check() {
    if (this.isBroken) throw new CompilerUnavailableError("no file");
  }
}

/** Time that only moves when told to. */
class StillClock {
  now = 0;
  #timers = new Map<object, { readonly at: number; readonly callback: () => void }>();
  readonly monotonicNow = () => this.now;
  readonly setTimeout = (callback: () => void, delayMs: number): object => {
    const handle = {};
    this.#timers.set(handle, { at: this.now + delayMs, callback });
    return handle;
  };
  readonly clearTimeout = (handle: object | undefined) => {
    if (handle !== undefined) this.#timers.delete(handle);
  };
  pass(ms: number): void {
    this.now += ms;
    for (const [handle, { at, callback }] of [...this.#timers]) {
      if (at > this.now) continue;
      this.#timers.delete(handle);
      callback();
    }
  }
}

function setUp() {
  const compiler = new FakeCompiler();
  const clock = new StillClock();
  const failures: [string, number][] = [];
  const programs = new RegoPrograms({
    compiler,
    clock,
    onFailure: (problem, retryMs) => failures.push([problem, retryMs]),
  });
  let changes = 0;
  programs.onChange(() => changes++);
  const nextChange = async () => {
    for (const before = changes; changes === before; ) await new Promise((done) => setImmediate(done));
  };
  return { compiler, clock, failures, programs, nextChange };
}

describe("programs", () => {
  it("compile what is wanted together, once, and tell", async () => {
    const { compiler, programs, nextChange } = setUp();
    expect(programs.isSettled).toBe(true);
    programs.want([source("good"), source("bad")]);
    expect(programs.isSettled).toBe(false);
    expect(programs.state(source("good"))).toEqual({ kind: "compiling" });
    await nextChange();
    expect(programs.isSettled).toBe(true);
    expect(programs.state(source("good"))).toMatchObject({
      kind: "ready",
      program: { entrypoint: "data.test.query" },
    });
    expect(programs.state(source("bad"))).toEqual({
      kind: "refused",
      problem: "line 2, column 3: m (rego_parse_error)",
    });
    programs.want([source("good"), source("bad"), source("worse")]);
    await nextChange();
    expect(compiler.batches).toEqual([["good", "bad"], ["worse"]]);
  });

  it("come without the compiler where the source brings a plan with its entrypoint", async () => {
    const { compiler, programs } = setUp();
    const entrypoint = "data.test.query";
    const planned: RegoSource = { ...source("bad"), plan, entrypoint };
    expect(await programs.prepare(planned, 1_000)).toMatchObject({ kind: "ready", program: { entrypoint } });
    expect(compiler.batches).toEqual([]);
    const other = { ...planned, entrypoint: "data.test.other" };
    expect(await programs.prepare(other, 1_000)).toMatchObject({ kind: "refused" });
    expect(compiler.batches).toEqual([["bad"]]);
  });

  it("are there at once for a policy that was tried at apply", async () => {
    const { compiler, programs } = setUp();
    expect(await programs.prepare(source("good"), 1_000)).toMatchObject({ kind: "ready" });
    programs.want([source("good")]);
    expect(programs.isSettled).toBe(true);
    expect(compiler.batches).toEqual([["good"]]);
  });

  it("wait no longer than they are told", async () => {
    const { clock, programs } = setUp();
    const asked = programs.prepare(source("good"), 1_000);
    clock.pass(1_000);
    expect(await asked).toEqual({ kind: "compiling" });
  });

  it("are not settled while the compiler cannot be run, and come once it can", async () => {
    const { compiler, clock, failures, programs, nextChange } = setUp();
    compiler.isBroken = true;
    programs.want([source("good")]);
    await nextChange();
    const failure = "the Rego compiler cannot be used: no file";
    for (const retryMs of [1_000, 2_000, 4_000, 8_000]) {
      expect(failures.at(-1)).toEqual([failure, retryMs]);
      expect(programs.state(source("good"))).toEqual({ kind: "compiling", failure });
      expect(programs.isSettled).toBe(false);
      const retried = nextChange();
      clock.pass(retryMs);
      await retried;
    }
    compiler.isBroken = false;
    const retried = nextChange();
    clock.pass(16_000);
    await retried;
    expect(programs.state(source("good"))).toMatchObject({ kind: "ready" });
  });

  it("wait for nothing that the compiler fails over again and again, yet try it on", async () => {
    const { compiler, clock, programs, nextChange } = setUp();
    programs.want([source("heavy"), source("good")]);
    await nextChange();
    expect(programs.state(source("good"))).toMatchObject({ kind: "ready" });
    for (const retryMs of [1_000, 2_000]) {
      expect(programs.isSettled).toBe(false);
      const retried = nextChange();
      clock.pass(retryMs);
      await retried;
    }
    expect(programs.isSettled).toBe(true);
    const retried = nextChange();
    clock.pass(4_000);
    await retried;
    expect(compiler.batches).toEqual([["heavy", "good"], ["heavy"], ["heavy"], ["heavy"]]);
  });

  it("are not tried again for nobody, but for whoever asks once more", async () => {
    const { compiler, clock, programs } = setUp();
    compiler.isBroken = true;
    expect(await programs.prepare(source("good"), 1_000)).toMatchObject({
      kind: "compiling",
      failure: expect.stringContaining("no file"),
    });
    clock.pass(600_000);
    expect(compiler.batches).toHaveLength(1);
    compiler.isBroken = false;
    expect(await programs.prepare(source("good"), 1_000)).toMatchObject({ kind: "ready" });
  });

  it("keep few that nobody wants, and take no more than they can work on", async () => {
    const { programs, nextChange } = setUp();
    const asked = Array.from({ length: 100 }, (_, at) => programs.prepare(source(`bad ${at}`), 1_000));
    await nextChange();
    const kinds = (await Promise.all(asked)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === "refused")).toHaveLength(64);
    expect(await asked[99]).toMatchObject({
      kind: "compiling",
      failure: expect.stringContaining("too many"),
    });
    programs.want([]);
    expect(programs.state(source("bad 63"))).toMatchObject({ kind: "refused" });
  });
});

/** Asks OPA's compiler for a plan of all tests there are in some modules. */
import { builtins, unsupportedBuiltins } from "../builtins/index.ts";
import {
  type CompileProblem,
  type CompileRequest,
  createRegoCompiler,
  type PlannedTests,
  type RegoCompiler,
} from "../compiler/index.ts";
import type { RegoPlan } from "../plan/index.ts";
import { hostFunctions } from "./host-functions.ts";
import { TEST_CASE } from "./run.ts";

export interface CompiledRegoTests {
  readonly plan: RegoPlan;
  readonly planned: PlannedTests;
  /** Version of the language that all modules are written in. */
  readonly version: "v0" | "v1";
}

export type CompiledRegoTestsOutcome =
  | ({ readonly ok: true } & CompiledRegoTests)
  | { readonly ok: false; readonly problems: readonly CompileProblem[] };

type Modules = CompileRequest["modules"];

/** A library of policies with all its tests is one program. */
const limits = { answerTimeoutMs: 600_000, memoryBytes: 2 * 1024 * 1024 * 1024 };

/** @param wasmFile the compiler's module (`rego-compiler.wasm`) */
export function compilerOfRegoTests(wasmFile: string): RegoCompiler {
  return createRegoCompiler({ wasmFile, limits });
}

/**
 * Modules are taken for the present version of the language, and for the one before where they cannot be read in it.
 *
 * @param modules source by path
 * @throws CompilerUnavailableError
 */
export async function compileRegoTests(
  compiler: RegoCompiler,
  modules: Modules,
): Promise<CompiledRegoTestsOutcome> {
  const present = await compileAs(compiler, modules, "v1");
  if (present.ok || !present.problems.some(({ code }) => code === "rego_parse_error")) return present;
  const before = await compileAs(compiler, modules, "v0");
  const cannotBeRead = !before.ok && before.problems.some(({ code }) => code === "rego_parse_error");
  return cannotBeRead ? present : before;
}

async function compileAs(
  compiler: RegoCompiler,
  modules: Modules,
  version: "v0" | "v1",
): Promise<CompiledRegoTestsOutcome> {
  const [outcome] = await compiler.compile([requestOf(modules, version)]);
  if (outcome?.ok !== true) return { ok: false, problems: outcome?.problems ?? [] };
  const { plan, planned } = outcome;
  return { ok: true, plan, planned: planned ?? { tests: [], rows: new Map() }, version };
}

function requestOf(modules: Modules, regoVersion: "v0" | "v1"): CompileRequest {
  const sources = Object.values(modules);
  const isCalled = (name: string): boolean => sources.some((source) => source.includes(`${name}(`));
  return {
    modules,
    tests: true,
    regoVersion,
    keepPrint: true,
    // What a test replaces by `with` must be known, so that those are there which nobody may call.
    builtins: [...builtins.keys(), ...unsupportedBuiltins.keys(), TEST_CASE],
    declarations: [...hostFunctions.values()]
      .filter(({ name }) => isCalled(name))
      .map(({ name, arity = 0 }) => ({ name, args: arity })),
  };
}

import { dirname, join } from "node:path";
import { createRegoCompiler, PlanFiles } from "../rego/compiler/index.ts";
import { RegoPrograms, type Timers } from "../rego/program/index.ts";
import type { ReadSecret } from "./bundle-options.ts";
import { RegoPolicies } from "./rego-policies.ts";

export interface RegoSettings<Handle> {
  /** The compiler's module (`rego-compiler.wasm`). */
  readonly compilerFile: string;
  /** Where plans and bundles are kept for the next start; left out, nowhere. */
  readonly planFolder?: string | undefined;
  readonly clock: Timers<Handle>;
  /** Left out, bundles are not fetched. */
  readonly readSecret?: ReadSecret | undefined;
  /** Of a bundle as a tar archive; left out, what suits policies. */
  readonly largestBundleMiB?: number | undefined;
  /** Told what does not work and is tried again, or done without, and which bundles are in use. */
  readonly log: (level: "info" | "warn", fields: Readonly<Record<string, unknown>>, message: string) => void;
}

/** A container has some hundred MB for it beside the process itself; a module of 64 KiB takes far less. */
const memoryBytes = 256 * 1024 * 1024;
/** A second of work; a node that is short of processors takes many times that. */
const answerTimeoutMs = 60_000;

/** Policies in Rego with the compiler as ShieldX's processes run it. */
export function openRegoPolicies<Handle>(settings: RegoSettings<Handle>): RegoPolicies<Handle> {
  const { compilerFile, planFolder, clock, readSecret, largestBundleMiB, log } = settings;
  const onTrouble = (error: unknown) =>
    log("warn", { err: error, folder: planFolder }, "compiled policies cannot be kept in this folder");
  const compiler = createRegoCompiler({
    wasmFile: compilerFile,
    limits: { memoryBytes, answerTimeoutMs },
    ...(planFolder === undefined ? {} : { cache: new PlanFiles({ folder: planFolder, onTrouble }) }),
  });
  const programs = new RegoPrograms({
    compiler,
    clock,
    onFailure: (problem, retryMs) =>
      log("warn", { retryMs }, `policies in Rego cannot be compiled now: ${problem}`),
  });
  const folder = planFolder === undefined ? undefined : join(planFolder, "bundles");
  return new RegoPolicies({ programs, compiler, clock, readSecret, largestBundleMiB, folder, log });
}

/** Where the compiler is unless somebody says otherwise: beside the program that runs. */
export function compilerBeside(program: string | undefined): string {
  return join(dirname(program ?? "."), "rego-compiler.wasm");
}

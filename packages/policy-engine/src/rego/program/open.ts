import { dirname, join } from "node:path";
import { createRegoCompiler, PlanFiles } from "../compiler/index.ts";
import { RegoPrograms, type Timers } from "./programs.ts";

export interface RegoSettings<Handle> {
  /** The compiler's module (`rego-compiler.wasm`). */
  readonly compilerFile: string;
  /** Where plans are kept for the next start; left out, nowhere. */
  readonly planFolder?: string | undefined;
  readonly clock: Timers<Handle>;
  /** Told what does not work and is tried again, or done without. */
  readonly warn: (fields: Readonly<Record<string, unknown>>, message: string) => void;
}

/** A container has some hundred MB for it beside the process itself; a module of 64 KiB takes far less. */
const memoryBytes = 256 * 1024 * 1024;
/** A second of work; a node that is short of processors takes many times that. */
const answerTimeoutMs = 60_000;

/** Programs with the compiler as ShieldX's processes run it. */
export function openRegoPrograms<Handle>(settings: RegoSettings<Handle>): RegoPrograms<Handle> {
  const { compilerFile, planFolder: folder, clock, warn } = settings;
  const onTrouble = (error: unknown) =>
    warn({ err: error, folder }, "compiled policies cannot be kept in this folder");
  const compiler = createRegoCompiler({
    wasmFile: compilerFile,
    limits: { memoryBytes, answerTimeoutMs },
    ...(folder === undefined ? {} : { cache: new PlanFiles({ folder, onTrouble }) }),
  });
  return new RegoPrograms({
    compiler,
    clock,
    onFailure: (problem, retryMs) => warn({ retryMs }, `policies in Rego cannot be compiled now: ${problem}`),
  });
}

/** Where the compiler is unless somebody says otherwise: beside the program that runs. */
export function compilerBeside(program: string | undefined): string {
  return join(dirname(program ?? "."), "rego-compiler.wasm");
}

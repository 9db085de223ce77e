/** Rego to plans: asks the cache, then OPA's compiler, and believes neither before the plan is checked. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import { loadPlan, PlanError, type RegoPlan } from "../plan/index.ts";
import { readAnswer } from "./answer.ts";
import { CompilerUnavailableError } from "./errors.ts";
import {
  askProcess,
  defaultLimits,
  type Ending,
  type ProcessAnswers,
  type ProcessLimits,
} from "./process.ts";
import {
  type CompileOutcome,
  type CompileProblem,
  type CompileRequest,
  requestDigest,
  requestLine,
} from "./request.ts";

/** Plans as JSON text by digest. Entries may be lost at any time; what it returns is checked like any plan. */
export interface PlanCache {
  get(digest: string): Promise<string | undefined>;
  put(digest: string, plan: string): Promise<void>;
}

export interface CompilerOptions {
  /** The module `rego-compiler` built for wasip1. */
  readonly wasmFile: string;
  readonly cache?: PlanCache;
  readonly limits?: Partial<ProcessLimits>;
}

export interface RegoCompiler {
  /** Compiles each; an error in one is its own. Throws `CompilerUnavailableError`, and what the cache throws. */
  compile(requests: readonly CompileRequest[]): Promise<readonly CompileOutcome[]>;
  /** Whether anything can be compiled, told by a process of its own. Throws `CompilerUnavailableError` where not. */
  check(): Promise<void>;
}

/** Compiles wherever anything does. */
const simplest: CompileRequest = {
  modules: { "check.rego": "package check\n\nworks := true\n" },
  entrypoints: ["data.check.works"],
  builtins: [],
};

interface Pending {
  readonly request: CompileRequest;
  readonly digest: string;
}

export function createRegoCompiler({ wasmFile, cache, limits }: CompilerOptions): RegoCompiler {
  const allLimits = { ...defaultLimits, ...limits };
  let identity: Promise<string> | undefined;
  // One process at a time: each takes some 150 MB.
  let before: Promise<unknown> = Promise.resolve();

  const compilerDigest = (): Promise<string> => {
    identity ??= digestOf(wasmFile).catch((error: unknown) => {
      identity = undefined;
      throw new CompilerUnavailableError(`cannot read ${wasmFile}: name its file with --rego-compiler`, {
        cause: error,
      });
    });
    return identity;
  };

  const compileNow = async (requests: readonly CompileRequest[]): Promise<readonly CompileOutcome[]> => {
    const compiler = await compilerDigest();
    const outcomes = new Map<string, CompileOutcome>();
    const pending = new Map<string, Pending>();
    const digests = requests.map((request) => requestDigest(request, compiler));
    for (const [at, request] of requests.entries()) {
      const digest = digests[at] ?? "";
      const plan = request.tests === true ? undefined : await cachedPlan(cache, digest);
      if (plan) outcomes.set(digest, { ok: true, plan, digest });
      else pending.set(digest, { request, digest });
    }
    for await (const [outcome, text] of compileAll([...pending.values()], wasmFile, allLimits)) {
      outcomes.set(outcome.digest, outcome);
      const isKept = outcome.ok && pending.get(outcome.digest)?.request.tests !== true;
      if (isKept && text !== undefined) await cache?.put(outcome.digest, text);
    }
    return digests.map((digest) => outcomes.get(digest) ?? failure(digest, lost));
  };

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = before.then(work);
    before = result.catch(() => undefined);
    return result;
  };

  return {
    compile: (requests) => inTurn(() => compileNow(requests)),
    check: () =>
      inTurn(async () => {
        const pending = [{ request: simplest, digest: "check" }];
        for await (const [outcome] of compileAll(pending, wasmFile, allLimits)) {
          if (!outcome.ok) throw new CompilerUnavailableError(outcome.problems[0]?.message ?? lost.message);
        }
      }),
  };
}

async function digestOf(file: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(file))
    .digest("hex");
}

async function cachedPlan(cache: PlanCache | undefined, digest: string): Promise<RegoPlan | undefined> {
  const text = await cache?.get(digest);
  if (text === undefined) return undefined;
  try {
    return loadPlan(JSON.parse(text));
  } catch (error) {
    // A spoilt entry is as good as none: it is compiled again and written over.
    if (error instanceof PlanError || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const lost: CompileProblem = { code: "compiler_crash", message: "the compiler gave no answer" };

/**
 * Where a process ends early, the first request without an answer is to blame, as they are done in order; those after
 * it are put to another process.
 */
async function* compileAll(
  pending: readonly Pending[],
  wasmFile: string,
  limits: ProcessLimits,
): AsyncGenerator<readonly [CompileOutcome, string | undefined]> {
  let left = pending;
  while (left.length > 0) {
    const lines = left.map(({ request, digest }) => requestLine(request, digest));
    const answers = await askProcess(wasmFile, lines, limits);
    for (const [at, line] of answers.lines.slice(0, left.length).entries()) {
      // Plans are checked one by one, and what else the process does goes on between them.
      if (at > 0) await nextTurn();
      yield outcomeOf(line, left[at]?.digest ?? "");
    }
    const guilty = left[answers.lines.length];
    if (guilty) yield [failure(guilty.digest, problemOf(answers, limits)), undefined];
    left = left.slice(answers.lines.length + 1);
  }
}

const endings: Readonly<Record<Ending, (limits: ProcessLimits) => string>> = {
  complete: () => "the compiler gave no answer",
  crash: ({ memoryBytes }) => `the compiler ended without an answer (it has ${memoryBytes} bytes of memory)`,
  timeout: ({ answerTimeoutMs }) => `the compiler took longer than ${answerTimeoutMs} ms`,
  output: ({ outputBytes }) => `the plan is larger than ${outputBytes} bytes`,
};

function problemOf({ ending, complaint }: ProcessAnswers, limits: ProcessLimits): CompileProblem {
  const lines = complaint.split("\n").filter((line) => line.trim() !== "");
  const firstLine = lines.find((line) => /^(rego-compiler|\w*Error): /.test(line)) ?? lines[0] ?? "";
  return {
    code: `compiler_${ending === "complete" ? "crash" : ending}`,
    message: `${endings[ending](limits)}${firstLine ? `: ${firstLine}` : ""}`,
  };
}

/** Of modules without a test that is to run. */
const noPlan: RegoPlan = { plans: [], functions: [], builtins: new Map() };

function failure(digest: string, problem: CompileProblem): CompileOutcome {
  return { ok: false, problems: [problem], digest };
}

function outcomeOf(line: string, digest: string): readonly [CompileOutcome, string | undefined] {
  const answer = readAnswer(line);
  if (!answer || answer.id !== digest)
    return [
      failure(digest, { code: "compiler_answer", message: "the compiler's answer cannot be read" }),
      undefined,
    ];
  if (answer.plan === undefined && answer.planned !== undefined && answer.problems.length === 0)
    return [{ ok: true, plan: noPlan, digest, planned: answer.planned }, undefined];
  if (answer.plan === undefined)
    return [
      { ok: false, problems: answer.problems.length > 0 ? answer.problems : [lost], digest },
      undefined,
    ];
  try {
    const { plan, planned } = answer;
    return [{ ok: true, plan: loadPlan(plan), digest, planned }, JSON.stringify(plan)];
  } catch (error) {
    if (!(error instanceof PlanError)) throw error;
    return [failure(digest, { code: "plan_refused", message: error.message }), undefined];
  }
}

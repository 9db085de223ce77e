import { type Builtin, EvaluationError } from "../builtins/contract.ts";
import { builtins } from "../builtins/index.ts";
import type { PlannedTest } from "../compiler/index.ts";
import { compileRego, type Observe, type RegoPolicy } from "../evaluate/index.ts";
import { compactJson, type RegoJson, toJson } from "../json.ts";
import type { RegoPlan } from "../plan/index.ts";
import { type AnyObject, isArray, type RegoValue } from "../values.ts";
import type { CompiledRegoTests } from "./compile.ts";
import { Coverage, type RegoCoverage } from "./coverage.ts";
import { hostFunctions } from "./host-functions.ts";

/** What came of one test. */
export interface RegoTestOutcome {
  /** `data.kubernetes.admission` */
  readonly package: string;
  readonly name: string;
  readonly file: string;
  readonly row: number;
  /** `error`: it came to no verdict; `late`: time ran out before it did; `skipped`: its name says that it is to be left out. */
  readonly result: "passed" | "failed" | "error" | "late" | "skipped";
  /** For people; what the test printed stands in it. */
  readonly message: string;
  readonly tookMs: number;
}

export interface RegoTestRun {
  readonly outcomes: readonly RegoTestOutcome[];
  readonly coverage: RegoCoverage;
}

export interface RegoTestOptions {
  /** Documents below `data`, beside the rules. */
  readonly data?: AnyObject;
  /** Nanoseconds since 1970. */
  readonly nowNs: bigint;
  /** For one test, in milliseconds; default 5 seconds, as OPA's. */
  readonly timeoutMs?: number;
  readonly monotonicNow?: () => number;
}

/** OPA's built-in by which a case of a test says that it began; the compiler puts it there. */
export const TEST_CASE = "internal.test_case";

const defaultTimeoutMs = 5_000;
/** A test may be put together of many requests, and nobody waits for it but who runs it. */
const costLimit = 200_000_000;
const mostPrinted = 20;

/** Runs all tests, one after the other. Throws `RangeError` for a plan of absurd numbers. */
export function runRegoTests(compiled: CompiledRegoTests, options: RegoTestOptions): RegoTestRun {
  const { plan, planned } = compiled;
  const coverage = new Coverage(compiled);
  const watch = new Watch(coverage.observe);
  const policy = compileRego(plan, functionsFor(plan, watch), watch.observe);
  const outcomes = planned.tests.map((test) => runTest(policy, test, watch, options));
  return { outcomes, coverage: coverage.report() };
}

/** What is seen of the test that runs. */
class Watch {
  /** Keys of the cases that began. */
  readonly begun = new Map<string, readonly string[]>();
  /** Where the statement stands that ran last, in the file of the test. */
  lastRow = 0;
  #file = "";
  #headRow = 0;
  readonly #also: Observe;

  constructor(also: Observe) {
    this.#also = also;
  }

  begin({ file, row }: PlannedTest): void {
    this.begun.clear();
    this.lastRow = 0;
    this.#file = file;
    this.#headRow = row;
  }

  readonly observe: Observe = (statement) => {
    const also = this.#also(statement);
    const { file, row } = statement.location;
    return () => {
      also?.();
      // What the planner writes for the head of a rule runs also when its body came to nothing.
      if (file === this.#file && row > 0 && row !== this.#headRow) this.lastRow = row;
    };
  };
}

function functionsFor(plan: RegoPlan, watch: Watch): ReadonlyMap<string, Builtin> {
  const testCase: Builtin = {
    name: TEST_CASE,
    arity: 1,
    call: ([names]) => {
      if (names !== undefined && isArray(names)) watch.begun.set(keyOf(names), names.map(keyOf));
      return true;
    },
  };
  const known = new Map([...builtins, ...hostFunctions, [TEST_CASE, testCase] as const]);
  for (const [name, arity] of plan.builtins) if (!known.has(name)) known.set(name, notHere(name, arity));
  return known;
}

function notHere(name: string, arity: number): Builtin {
  return {
    name,
    arity,
    call: () => {
      throw new EvaluationError("eval_builtin_error", `${name} is not supported here: replace it by with`);
    },
  };
}

function runTest(
  policy: RegoPolicy,
  test: PlannedTest,
  watch: Watch,
  { data = {}, nowNs, timeoutMs = defaultTimeoutMs, monotonicNow = () => performance.now() }: RegoTestOptions,
): RegoTestOutcome {
  const { package: of, name, file, row, plan } = test;
  const about = { package: of, name, file, row };
  if (plan === undefined)
    return { ...about, result: "skipped", message: "its name begins with todo_", tookMs: 0 };
  watch.begin(test);
  const printed: string[] = [];
  const startedAt = monotonicNow();
  const until = startedAt + timeoutMs;
  const finish = (result: RegoTestOutcome["result"], message: string): RegoTestOutcome => {
    const said = printed.length === 0 || result === "passed" ? "" : `; printed: ${printed.join(" | ")}`;
    return { ...about, result, message: message + said, tookMs: monotonicNow() - startedAt };
  };
  try {
    const [answer] = policy.evaluate(plan, {
      data,
      context: {
        nowNs,
        costLimit,
        isPastDeadline: () => monotonicNow() >= until,
        print: (text) => {
          if (printed.length < mostPrinted) printed.push(text);
        },
      },
    });
    const problem = test.hasCases
      ? problemOfCases(answer?.result, [...watch.begun.values()])
      : problemOf(answer?.result, watch.lastRow, row);
    return problem === undefined ? finish("passed", "holds") : finish("failed", problem);
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error;
    if (error.code === "eval_cancel_error" && monotonicNow() >= until)
      return finish("late", `took longer than ${timeoutMs} ms: make it smaller`);
    const at = error.location === undefined ? "" : `${error.location.file}:${error.location.row}: `;
    return finish("error", `${at}${error.message} (${error.code})`);
  }
}

function problemOf(value: RegoJson | undefined, lastRow: number, row: number): string | undefined {
  if (value === true) return undefined;
  if (value !== undefined) return `its value is ${shown(value)}, not true`;
  const where = lastRow > row ? `: line ${lastRow} is as far as it came` : "";
  return `it does not hold${where}`;
}

/** A case that began and has no value came to nothing. */
function problemOfCases(
  value: RegoJson | undefined,
  begun: readonly (readonly string[])[],
): string | undefined {
  if (value === undefined) return "it has no cases";
  const told = new Set(begun.map(([first]) => first));
  const untold = Object.entries(isRecord(value) ? value : {}).filter(([key]) => !told.has(key));
  const failed = [
    ...begun.filter((keys) => valueAt(value, keys) !== true).map((keys) => keys.join("/")),
    ...untold.filter(([, item]) => !isTrue(item)).map(([key]) => key),
  ];
  if (failed.length === 0) return undefined;
  const [cases, verb] = failed.length === 1 ? ["case", "does"] : ["cases", "do"];
  return `${cases} ${failed.map((each) => JSON.stringify(each)).join(", ")} ${verb} not hold`;
}

function isRecord(value: RegoJson): value is { readonly [key: string]: RegoJson } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** As it is a key of the answer in JSON. */
function keyOf(name: RegoValue): string {
  return typeof name === "string" ? name : compactJson(toJson(name));
}

function valueAt(value: RegoJson, keys: readonly string[]): RegoJson | undefined {
  let at: RegoJson | undefined = value;
  for (const key of keys) {
    if (at === undefined || !isRecord(at)) return undefined;
    at = Object.hasOwn(at, key) ? at[key] : undefined;
  }
  return at;
}

/** A case, or all cases below it. */
function isTrue(value: RegoJson): boolean {
  return isRecord(value) ? Object.values(value).every(isTrue) : value === true;
}

const mostShown = 100;

function shown(value: RegoJson): string {
  const text = compactJson(value);
  return text.length > mostShown ? `${text.slice(0, mostShown)}…` : text;
}

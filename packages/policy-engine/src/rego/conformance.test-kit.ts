/**
 * OPA's own test cases (its v1/test/cases/testdata), read from the published Go module: compiled by the compiler
 * module, evaluated here as closures and as code, compared with the outcome each case wants.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { publishedFile } from "@shieldx/e2e/cluster/build";
import { parse } from "yaml";
import { type Builtin, EvaluationError } from "./builtins/contract.ts";
import { MissingBuiltinsError } from "./evaluate/index.ts";
import { evaluateBothWays } from "./generate/both-ways.test-kit.ts";
import type { RegoJson } from "./json.ts";
import { loadPlan } from "./plan/index.ts";
import { canonicalKey, compareValues, integer, type PlainObject, type RegoValue } from "./values.ts";

export const opaModule = {
  path: "github.com/open-policy-agent/opa",
  version: "v1.22.4",
  sum: "h1:/sKtqt7GVSvXQn1sML2PSzl8tD/mTHF2pzQC3x1CV8k=",
} as const;

export interface ConformanceCase {
  readonly version: "v0" | "v1";
  /** Folder below the version: `aggregates`. */
  readonly folder: string;
  readonly note: string;
  readonly query: string;
  readonly modules?: readonly string[];
  readonly data?: PlainObject;
  readonly input?: RegoValue;
  readonly input_term?: string;
  readonly want_result?: readonly PlainObject[];
  readonly want_error_code?: string;
  readonly want_error?: string;
  readonly sort_bindings?: boolean;
  readonly strict_error?: boolean;
  readonly experimental_keywords?: boolean;
}

export type Outcome =
  | { readonly passed: true }
  | { readonly passed: false; readonly reason: string; readonly missing?: readonly string[] };

type CaseText = Omit<ConformanceCase, "version" | "folder">;

export async function readCases(): Promise<ConformanceCase[]> {
  const root = await publishedFile(opaModule, join("v1", "test", "cases", "testdata"));
  const cases: ConformanceCase[] = [];
  for (const version of ["v0", "v1"] as const)
    for (const folder of readdirSync(join(root, version)))
      for (const name of readdirSync(join(root, version, folder), { recursive: true, encoding: "utf8" })) {
        if (!/\.(ya?ml|json)$/.test(name)) continue;
        const text = readFileSync(join(root, version, folder, name), "utf8");
        const { cases: found } = parse(text, { intAsBigInt: true, maxAliasCount: -1 }) as {
          cases: CaseText[];
        };
        for (const each of found)
          cases.push(exact({ ...each, version, folder }) as unknown as ConformanceCase);
      }
  return cases;
}

/** Integers as the engine has them. */
function exact(value: unknown): unknown {
  if (typeof value === "bigint") return integer(value);
  if (Array.isArray(value)) return value.map(exact);
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, exact(item)]));
  return value;
}

export interface CompilerAnswer {
  readonly id: string;
  readonly plan?: unknown;
  readonly errors?: readonly { readonly code: string; readonly message: string; readonly row?: number }[];
}

/** Compiles all cases in one run of the compiler; answers are in the order of the cases. */
export async function compileCases(
  binary: string,
  cases: readonly ConformanceCase[],
): Promise<CompilerAnswer[]> {
  const child = spawn(binary, { stdio: ["pipe", "pipe", "inherit"] });
  const closed = once(child, "close");
  const answers: CompilerAnswer[] = [];
  const reading = (async () => {
    for await (const line of createInterface({ input: child.stdout }))
      answers.push(JSON.parse(line) as CompilerAnswer);
  })();
  for (const [at, each] of cases.entries())
    if (!child.stdin.write(`${JSON.stringify(requestFor(each, at))}\n`)) await once(child.stdin, "drain");
  child.stdin.end();
  const [[code]] = await Promise.all([closed, reading]);
  if (code !== 0) throw new Error(`the compiler ended with status ${String(code)}`);
  return answers;
}

function requestFor(each: ConformanceCase, at: number) {
  const modules = (each.modules ?? []).map((text, number) => [`test-${number}.rego`, text] as const);
  return {
    id: String(at),
    modules: Object.fromEntries(modules),
    regoVersion: each.version,
    // An input with sets has no JSON; given in the query, it is the plan that makes it.
    query: each.input_term === undefined ? each.query : `${each.query} with input as ${each.input_term}`,
    experimental: each.experimental_keywords ?? false,
  };
}

const maxPrinted = 400;

export function judge(
  each: ConformanceCase,
  answer: CompilerAnswer,
  builtins: ReadonlyMap<string, Builtin>,
): Outcome {
  if (answer.errors)
    return failed(`does not compile: ${answer.errors.map(({ message }) => message).join("; ")}`);
  let results: readonly Readonly<Record<string, RegoJson>>[];
  try {
    results = evaluateBothWays(loadPlan(answer.plan), builtins, {
      entrypoint: "eval",
      question: {
        ...(each.input === undefined ? {} : { input: each.input }),
        data: each.data ?? {},
        context: {
          // The present, as in OPA's own run: cases hold certificates that were not valid earlier.
          nowNs: BigInt(Date.now()) * 1_000_000n,
          strictErrors: each.strict_error ?? false,
          // No name server: the cases ask for addresses, which are their own answer, and for localhost.
          lookup: (host) => [host === "localhost" ? "127.0.0.1" : host],
          allowedHosts: ["localhost", "10.0.0.0", "::"],
        },
      },
    });
  } catch (error) {
    if (error instanceof EvaluationError) return judgeError(each, error);
    if (error instanceof MissingBuiltinsError) return { ...failed(error.message), missing: error.names };
    return failed(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  if (each.want_error_code !== undefined || each.want_error !== undefined)
    return failed(`wants error ${each.want_error ?? each.want_error_code}, answered ${show(results)}`);
  return judgeResults(each, results);
}

function judgeError(each: ConformanceCase, error: EvaluationError): Outcome {
  const { location } = error;
  const text = `${location ? `${location.file}:${location.row}: ` : ""}${error.code}: ${error.message}`;
  if (each.want_error_code === undefined && each.want_error === undefined)
    return failed(`${text}\n${error.cause instanceof Error ? error.cause.stack : ""}`);
  if (each.want_error_code !== undefined && error.code !== each.want_error_code)
    return failed(`wants ${each.want_error_code}, is ${text}`);
  if (each.want_error !== undefined && !text.includes(each.want_error))
    return failed(`wants ${JSON.stringify(each.want_error)}, is ${JSON.stringify(text)}`);
  return { passed: true };
}

function judgeResults(
  each: ConformanceCase,
  results: readonly Readonly<Record<string, RegoJson>>[],
): Outcome {
  if (each.want_result === undefined) return failed("the case wants nothing");
  const got = results.map((bindings) => named(bindings, each.sort_bindings ?? false));
  const want = each.want_result.map((bindings) => canonicalKey(bindings));
  const [left, right] = [[...new Set(got)].sort().join(), [...new Set(want)].sort().join()];
  return left === right ? { passed: true } : failed(`wants ${cut(right)}\n  is ${cut(left)}`);
}

/** Without the names OPA's query compiler makes up for values the query does not capture. */
function named(bindings: Readonly<Record<string, RegoJson>>, sort: boolean): string {
  const kept = Object.entries(bindings).filter(([name]) => !name.startsWith("^"));
  return canonicalKey(
    Object.fromEntries(
      kept.map(([name, value]) => [
        name,
        sort && Array.isArray(value) ? value.toSorted(compareValues) : value,
      ]),
    ),
  );
}

const failed = (reason: string) => ({ passed: false, reason }) as const;
const cut = (text: string): string => (text.length > maxPrinted ? `${text.slice(0, maxPrinted)}…` : text);
const show = (value: unknown): string =>
  cut(JSON.stringify(value, (_, item) => (typeof item === "bigint" ? String(item) : item)));

/** What is asked of OPA's compiler, and what it answers. */
import { createHash } from "node:crypto";
import type { RegoPlan } from "../plan/index.ts";

export interface CompileRequest {
  /** Source by path; paths appear in messages. */
  readonly modules: Readonly<Record<string, string>>;
  /** References such as `data.shieldx.deny`; the plan calls them `shieldx/deny`. */
  readonly entrypoints?: readonly string[];
  /** Instead of entrypoints: names of rules, the first of which that the modules' one package has is the entrypoint. */
  readonly rules?: readonly string[];
  /** Instead of entrypoints: every rule that is a test is one. The answer says which these are; it is not kept in a cache. */
  readonly tests?: boolean;
  /** Functions that may be called besides the built-ins: name and number of arguments. */
  readonly declarations?: readonly { readonly name: string; readonly args: number }[];
  /** Of modules that `versions` does not name; default v1. */
  readonly regoVersion?: "v0" | "v1";
  /** By path: modules that are written in another version. */
  readonly versions?: Readonly<Record<string, "v0" | "v1">>;
  /** Built-ins the policy may call; a call of another is an error that names its place. */
  readonly builtins: readonly string[];
  /** Keep `print()` instead of erasing it. */
  readonly keepPrint?: boolean;
}

/** One complaint; rows and columns count from 1, and are absent where no place is to blame. */
export interface CompileProblem {
  readonly code: string;
  readonly message: string;
  readonly file?: string | undefined;
  readonly row?: number | undefined;
  readonly col?: number | undefined;
}

/** A rule that OPA takes for a test. */
export interface PlannedTest {
  /** `data.kubernetes.admission` */
  readonly package: string;
  readonly name: string;
  /** Name of the plan that answers it; undefined for `todo_test_…`, which is left out. */
  readonly plan?: string | undefined;
  /** Its answer is an object with a value for each case that holds; `internal.test_case` names those that began. */
  readonly hasCases: boolean;
  readonly file: string;
  readonly row: number;
}

/** What is known of the tests of a program besides its plan. */
export interface PlannedTests {
  readonly tests: readonly PlannedTest[];
  /** By file, rows that tests could cover: heads and expressions of rules that are none themselves. */
  readonly rows: ReadonlyMap<string, readonly number[]>;
}

export type CompileOutcome =
  | {
      readonly ok: true;
      readonly plan: RegoPlan;
      readonly digest: string;
      readonly planned?: PlannedTests | undefined;
    }
  | { readonly ok: false; readonly problems: readonly CompileProblem[]; readonly digest: string };

/** What a plan calls the entrypoint `data.shieldx.deny`: `shieldx/deny`. Throws RangeError for other references. */
export function planName(reference: string): string {
  if (!/^data(\.[A-Za-z_]\w*)+$/.test(reference))
    throw new RangeError(`${JSON.stringify(reference)} is no reference of names below data`);
  return reference.slice("data.".length).replaceAll(".", "/");
}

/** The line the compiler reads. Order of modules, versions and built-ins does not matter, so is not in it. */
export function requestLine(request: CompileRequest, id: string): string {
  return JSON.stringify({
    id,
    modules: inOrder(request.modules),
    ...entrypointsOf(request),
    regoVersion: request.regoVersion ?? "v1",
    versions: inOrder(request.versions ?? {}),
    builtins: request.builtins.toSorted(),
    print: request.keepPrint ?? false,
    ...(request.declarations === undefined ? {} : { declarations: request.declarations }),
  });
}

function inOrder(byPath: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(byPath).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function entrypointsOf({ entrypoints = [], rules, tests = false }: CompileRequest): object {
  if (tests) return { tests };
  return rules === undefined ? { entrypoints } : { rules };
}

/** SHA-256, in hex, of all that decides the plan: the request and the compiler. */
export function requestDigest(request: CompileRequest, compilerDigest: string): string {
  return createHash("sha256")
    .update(`${compilerDigest}\n${requestLine(request, "")}`)
    .digest("hex");
}

import type { PolicyTest } from "@shieldx/crds";
import { typeWithoutSchema } from "../mutation/object-types.ts";
import type { CompiledPolicy } from "../policy-set/compile.ts";
import { PolicySet } from "../policy-set/policy-set.ts";
import type { Verdict } from "../policy-set/verdict.ts";
import { requestOf } from "./request.ts";

/** What all cases of one policy may take together unless said otherwise, in milliseconds. */
export const TESTS_BUDGET_MS = 1_000;

export interface RunOptions {
  /** For all cases together, in milliseconds; default `TESTS_BUDGET_MS`. */
  readonly budgetMs?: number | undefined;
  /** A clock that never goes back, in milliseconds; `performance.now` unless a test says otherwise. */
  readonly monotonicNow?: () => number;
}

/** What came of one case. */
export interface TestOutcome {
  readonly name: string;
  /**
   * - `passed`, `failed`: it came to a verdict, which is the expected one or not.
   * - `error`: it came to none, so that no expectation can be met.
   * - `late`: time ran out before it came to one.
   */
  readonly result: "passed" | "failed" | "error" | "late";
  /** False where the policy is not about the request, which then passes. */
  readonly isMatched: boolean;
  /** For people: what was expected and what came; for a case that passed, what came. */
  readonly message: string;
  readonly tookMs: number;
}

/**
 * Holds a policy against its cases, as if it denied, whatever its actions are and whoever evaluates it.
 *
 * @param policy compiled with `evaluatesNative`, so that it has a judge
 */
export function runPolicyTests(
  policy: CompiledPolicy,
  tests: readonly PolicyTest[],
  { budgetMs = TESTS_BUDGET_MS, monotonicNow = () => performance.now() }: RunOptions = {},
): TestOutcome[] {
  const set = denying(policy);
  const until = monotonicNow() + budgetMs;
  return tests.map((test) => {
    const startedAt = monotonicNow();
    const leftMs = until - startedAt;
    const said =
      leftMs > 0 ? hold(set, policy.name, test, { deadlineMs: leftMs, monotonicNow }) : outOfTime(budgetMs);
    const tookMs = monotonicNow() - startedAt;
    if (said.decision === "none")
      return {
        name: test.name,
        result: said.isLate === true ? "late" : "error",
        isMatched: said.isMatched,
        message: `expected ${expected(test)}, but ${said.isLate ? tooLong(budgetMs) : said.why}`,
        tookMs,
      };
    const isAsExpected = said.decision === test.expect.decision && saysWhatItShould(said.why, test);
    return {
      name: test.name,
      result: isAsExpected ? "passed" : "failed",
      isMatched: said.isMatched,
      message: isAsExpected ? said.why : `expected ${expected(test)}, but ${inWords(said)}`,
      tookMs,
    };
  });
}

interface Said {
  readonly decision: "allow" | "deny" | "none";
  readonly isMatched: boolean;
  readonly isLate?: boolean;
  /** The message of the refusal, or why there was none. */
  readonly why: string;
}

function denying(policy: CompiledPolicy): PolicySet {
  return new PolicySet({
    policies: [{ ...policy, admission: "deny", failurePolicy: "Fail", isEvaluatedHere: true }],
    exceptions: [],
    members: [],
    kept: [],
    problems: [],
    serverMinor: 0,
  });
}

function hold(
  set: PolicySet,
  policy: string,
  test: PolicyTest,
  time: { readonly deadlineMs: number; readonly monotonicNow: () => number },
): Said {
  const asked = requestOf(test, 0);
  if (asked === undefined)
    return { decision: "none", isMatched: false, why: "its object lacks apiVersion or kind: add them" };
  const { deadlineMs, monotonicNow } = time;
  const until = monotonicNow() + deadlineMs;
  const context = { ...asked.context, monotonicNow };
  // As in a cluster, it is judged as its own mutations make it.
  const mutation = set.mutate(asked.request, { ...context, deadlineMs, types: () => typeWithoutSchema });
  const made = saidBy(mutation, policy, asked.request);
  if (made.decision === "none") return made;
  const { object = asked.request.object } = mutation;
  const leftMs = Math.max(0, until - monotonicNow());
  const verdict = set.evaluate({ ...asked.request, object }, { ...context, deadlineMs: leftMs });
  const judged = saidBy(verdict, policy, asked.request);
  return judged.decision === "allow" && !judged.isMatched ? made : judged;
}

function saidBy(
  { denials: [denial], asks, matched }: Verdict,
  policy: string,
  { resource, subResource, operation }: NonNullable<ReturnType<typeof requestOf>>["request"],
): Said {
  const isMatched = matched.includes(policy);
  if (asks.length > 0) {
    const why = "the policy asks the authorizer, which only a cluster has: remove the case";
    return { decision: "none", isMatched, why };
  }
  if (denial !== undefined) {
    const { code, message } = denial;
    const isVerdict = code === "PolicyViolation" || code === "MalformedObject";
    if (code === "SchemaUnknown") return { decision: "none", isMatched, why: onlyCluster };
    if (isVerdict) return { decision: "deny", isMatched, why: message };
    return { decision: "none", isMatched, isLate: code === "DeadlineExceeded", why: message };
  }
  const group = resource.group === "" ? "" : `.${resource.group}`;
  const what = `${operation} of ${resource.resource}${group}${subResource === "" ? "" : `/${subResource}`}`;
  return {
    decision: "allow",
    isMatched,
    why: isMatched ? "nothing is wrong with it" : `the policy is not about this ${what}`,
  };
}

const onlyCluster =
  "its mutations set a list by ApplyConfiguration, and only a cluster knows how lists of the kind are merged: use JSONPatch, or remove the case";

function outOfTime(budgetMs: number): Said {
  return { decision: "none", isMatched: false, isLate: true, why: tooLong(budgetMs) };
}

function tooLong(budgetMs: number): string {
  return `all cases together took longer than ${budgetMs} ms: use fewer cases, smaller objects or cheaper expressions`;
}

function saysWhatItShould(why: string, { expect }: PolicyTest): boolean {
  return expect.decision === "allow" || expect.message === undefined || why.includes(expect.message);
}

function expected({ expect: { decision, message } }: PolicyTest): string {
  if (decision === "allow") return "it to be allowed";
  return message === undefined ? "it to be denied" : `it to be denied with "${message}"`;
}

function inWords({ decision, why }: Said): string {
  return decision === "allow" ? `it was allowed: ${why}` : `it was denied: ${why}`;
}

import { namespaceOfPolicy, type PolicyTest } from "@shieldx/crds";
import { typeWithoutSchema } from "../mutation/object-types.ts";
import type { CompiledPolicy } from "../policy-set/compile.ts";
import type { Check } from "../policy-set/judgement.ts";
import { PolicySet } from "../policy-set/policy-set.ts";
import { atOnce, type TimedContext, type Turns, threadCpuNow } from "../policy-set/timing.ts";
import type { Verdict } from "../policy-set/verdict.ts";
import { requestOf } from "./request.ts";

/**
 * What all cases of one policy may take together unless said otherwise, in milliseconds of CPU time: by the clock on the wall a
 * sound policy would be refused on a machine that has other things to do.
 */
export const TESTS_BUDGET_MS = 1_000;

/** The same for a policy of a tenant: whoever takes it in does nothing else meanwhile. */
export const TENANT_TESTS_BUDGET_MS = 250;

/**
 * `monotonicNow`: the clock that the budget is measured by; left out, the CPU time of this thread. With `cpuNow` a policy is given up where a cluster would. Only for who writes one: what a policy that was taken in comes to
 * must not hang on how fast a processor is.
 */
export interface RunOptions extends Pick<TimedContext, "monotonicNow" | "cpuNow"> {
  /** For all cases together, in milliseconds; default `TESTS_BUDGET_MS`. */
  readonly budgetMs?: number | undefined;
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
  /** By the clock of the budget. */
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
  options: RunOptions = {},
): TestOutcome[] {
  return atOnce(policyTestRun(policy, tests, options));
}

/** `runPolicyTests`, in turns with others: a case is a turn. */
export function* policyTestRun(
  policy: CompiledPolicy,
  tests: readonly PolicyTest[],
  { budgetMs = TESTS_BUDGET_MS, monotonicNow = threadCpuNow, cpuNow }: RunOptions = {},
): Turns<TestOutcome[]> {
  const set = denying(policy);
  /** What others use in their turns is not the policy's. */
  let spentMs = 0;
  const outcomes: TestOutcome[] = [];
  for (const test of tests) {
    if (outcomes.length > 0) yield;
    const startedAt = monotonicNow();
    const deadlineMs = budgetMs - spentMs;
    const time = { deadlineMs, monotonicNow, ...(cpuNow && { cpuNow }) };
    const said = deadlineMs > 0 ? hold(set, policy.name, test, time) : outOfTime(budgetMs);
    const tookMs = monotonicNow() - startedAt;
    spentMs += tookMs;
    const isOver = said.decision === "none" && said.isLate === true && spentMs >= budgetMs;
    const outcome = outcomeOf(test, isOver ? outOfTime(budgetMs) : said);
    outcomes.push({ ...outcome, tookMs });
  }
  return outcomes;
}

function outcomeOf(test: PolicyTest, said: Said): Omit<TestOutcome, "tookMs"> {
  const { name } = test;
  const { isMatched } = said;
  if (said.decision === "none") {
    const result = said.isLate === true ? "late" : "error";
    return { name, result, isMatched, message: `expected ${expected(test)}, but ${said.why}` };
  }
  const isAsExpected = said.decision === test.expect.decision && saysWhatItShould(said.why, test);
  return {
    name,
    result: isAsExpected ? "passed" : "failed",
    isMatched,
    message: isAsExpected ? said.why : `expected ${expected(test)}, but ${inWords(said)}`,
  };
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

type TestTime = TimedContext & Required<Pick<TimedContext, "deadlineMs" | "monotonicNow">>;

function hold(set: PolicySet, policy: string, test: PolicyTest, time: TestTime): Said {
  const asked = requestOf(test, 0, namespaceOfPolicy(policy));
  if (asked === undefined)
    return { decision: "none", isMatched: false, why: "its object lacks apiVersion or kind: add them" };
  const { deadlineMs, monotonicNow } = time;
  const until = monotonicNow() + deadlineMs;
  const context = { ...asked.context, ...time };
  // As in a cluster, it is judged as its own mutations make it.
  const mutation = set.mutate(asked.request, { ...context, types: () => typeWithoutSchema });
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
  const [ask] = asks;
  if (ask !== undefined) {
    return { decision: "none", isMatched, why: `${whatIsAsked(ask.check)}: remove the case` };
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

function whatIsAsked(check: Check): string {
  switch (check.kind) {
    case "http":
      return `the policy calls ${check.url.host} by http.send, which only a cluster does`;
    case "image":
      return `the policy asks registry ${check.registry.name} who signed an image, which only a cluster does`;
    default:
      return "the policy asks the authorizer, which only a cluster has";
  }
}

const onlyCluster =
  "its mutations set a list by ApplyConfiguration, and only a cluster knows how lists of the kind are merged: use JSONPatch, or remove the case";

function outOfTime(budgetMs: number): Said {
  return { decision: "none", isMatched: false, isLate: true, why: tooLong(budgetMs) };
}

function tooLong(budgetMs: number): string {
  return `all cases together took more than ${budgetMs} ms of CPU time: use fewer cases, smaller objects or cheaper expressions`;
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

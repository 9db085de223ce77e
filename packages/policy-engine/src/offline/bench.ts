/** What policies cost on given requests: time on this machine, and what their expressions and queries spend anywhere. */
import { DEFAULT_NAMESPACE } from "@shieldx/crds";
import { RULES_COST_BUDGET } from "../cel/admission/index.ts";
import { withLongLists } from "../long-lists.ts";
import { buildPolicySet } from "../policy-set/build.ts";
import type { CompiledPolicy } from "../policy-set/compile.ts";
import { type CompiledException, compileException } from "../policy-set/exceptions.ts";
import { type EvaluationContext, PolicySet, type PolicySetProblem } from "../policy-set/policy-set.ts";
import type { AdmissionRequestLike } from "../policy-set/request.ts";
import { DEFAULT_COST_LIMIT } from "../rego/evaluate/index.ts";
import { answersTo, contextsInFiles, type SetInFiles } from "./answers.ts";

export interface PolicyBench extends SetInFiles {
  readonly requests: readonly AdmissionRequestLike[];
  /** Where ShieldX is, which no policy reaches. */
  readonly namespace?: string | undefined;
  readonly serverMinor: number;
  /** Milliseconds since the epoch: which exceptions count. */
  readonly now: number;
  /** How often each request is judged by each policy while time is taken. */
  readonly rounds: number;
  /** Milliseconds after which a policy is judged no more, however many rounds are left. */
  readonly mostMs: number;
  /** Milliseconds, as `performance.now()`. */
  readonly monotonicNow: () => number;
  /** Told before each policy, and before all together. */
  readonly onProgress?: (done: number, of: number) => void;
}

export interface BenchReport {
  /** In order of their names. */
  readonly policies: readonly BenchedPolicy[];
  /** All policies as one set, as a webhook holds them. */
  readonly together: Omit<BenchedPolicy, "policy" | "engine">;
  /** Policies and exceptions that do not compile. */
  readonly problems: readonly PolicySetProblem[];
}

export interface BenchedPolicy {
  readonly policy: string;
  readonly engine: CompiledPolicy["engine"];
  /** Requests that it is about and could be judged; the figures are of these. */
  readonly requests: number;
  /** Requests that it is about, but asks what only a cluster knows. */
  readonly untold: number;
  /** Requests on which it came to no verdict. */
  readonly failed: number;
  /** Undefined where it is about no request. */
  readonly time: BenchFigures | undefined;
  /** What evaluating it once spends, by language; none for what is not written in one. */
  readonly spent: Readonly<Partial<Record<SpentLanguage, SpentWork>>>;
}

export type SpentLanguage = "cel" | "rego";

export interface BenchFigures {
  readonly samples: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly mostMs: number;
}

export interface SpentWork {
  readonly median: number;
  readonly most: number;
  /** Index of the request that spends most. */
  readonly mostAt: number;
  /** What the costliest request spends once each list of its objects has 30 items: an estimate of what may come. */
  readonly withLongLists: number;
  /** Evaluation is then ended for what it spends, or fails otherwise, as it does not on the request itself. */
  readonly failsWithLongLists: boolean;
  /** What it may spend before it is ended. */
  readonly limit: number;
}

/** What the API server lets the validations of a policy spend, and a query in Rego here. */
const limits: Readonly<Record<SpentLanguage, number>> = { cel: RULES_COST_BUDGET, rego: DEFAULT_COST_LIMIT };

/** Evaluations before time is taken: what is evaluated often becomes code of its own meanwhile. */
const warmUpRounds = 40;
const fewestWarmUps = 200;
/** More say nothing more, and have to be kept. */
const mostSamples = 200_000;

/** Judges each request by each policy alone and by all together. Never throws for what policies and requests are. */
export function benchPolicies(bench: PolicyBench): BenchReport {
  const { namespace = DEFAULT_NAMESPACE, serverMinor, onProgress = () => undefined } = bench;
  const neverJudged = [namespace];
  const set = buildPolicySet({ ...bench, serverMinor, neverJudged, evaluatesNative: true });
  const exceptions = soundExceptions(bench, set.problems);
  const contextOf = contextsInFiles(bench, bench.now);
  const asked = bench.requests.map(
    (request, index): Asked => ({ request, index, context: contextOf(request) }),
  );
  const all = set.policies.length;
  const policies = set.policies.map((policy, index): BenchedPolicy => {
    onProgress(index, all);
    const alone = new PolicySet({
      policies: [policy],
      exceptions,
      members: [],
      kept: [],
      problems: [],
      serverMinor,
      neverJudged,
    });
    return { policy: policy.name, engine: policy.engine, ...measured(alone, asked, bench) };
  });
  onProgress(all, all);
  return { policies, together: measured(set, asked, bench), problems: set.problems };
}

function soundExceptions(
  { exceptions }: PolicyBench,
  problems: readonly PolicySetProblem[],
): CompiledException[] {
  const broken = new Set(problems.filter(({ kind }) => kind === "ShieldException").map(({ name }) => name));
  return exceptions
    .filter(({ metadata }) => !broken.has(`${metadata.namespace ?? "default"}/${metadata.name}`))
    .map(compileException);
}

interface Asked {
  readonly request: AdmissionRequestLike;
  /** Among all requests. */
  readonly index: number;
  readonly context: EvaluationContext;
}

function measured(set: PolicySet, asked: readonly Asked[], bench: PolicyBench): BenchReport["together"] {
  const looks = asked.map((each) => ({ ...each, ...lookAt(set, each) }));
  const about = looks.filter(({ isAbout }) => isAbout);
  const told = about.filter(({ isTold }) => isTold);
  return {
    requests: told.length,
    untold: about.length - told.length,
    failed: told.filter(({ isFailed }) => isFailed).length,
    time: timeOf(set, told, bench),
    spent: spentOf(set, told),
  };
}

interface Look {
  readonly isAbout: boolean;
  readonly isTold: boolean;
  readonly isFailed: boolean;
  readonly spent: Spent;
}

type Spent = Readonly<Record<SpentLanguage, number | undefined>>;

/** Once, counting what is spent. */
function lookAt(set: PolicySet, { request, context }: Pick<Asked, "request" | "context">): Look {
  const spent: Record<SpentLanguage, number | undefined> = { cel: undefined, rego: undefined };
  const onSpent = (language: SpentLanguage, units: number): void => {
    spent[language] = (spent[language] ?? 0) + units;
  };
  const answers = answersTo(request, set, { ...context, onSpent });
  const findings = answers.flatMap(({ denials, warnings, audits }) => [...denials, ...warnings, ...audits]);
  return {
    isAbout: answers.some(({ matched }) => matched.length > 0),
    isTold:
      answers.every(({ asks }) => asks.length === 0) &&
      !findings.some(({ code }) => code === "SchemaUnknown"),
    isFailed: findings.some(({ code }) => code !== "PolicyViolation" && code !== "MalformedObject"),
    spent,
  };
}

function timeOf(set: PolicySet, asked: readonly Asked[], bench: PolicyBench): BenchFigures | undefined {
  if (asked.length === 0) return undefined;
  const { rounds, mostMs, monotonicNow: now } = bench;
  const began = now();
  const warmUps = Math.max(warmUpRounds, Math.ceil(fewestWarmUps / asked.length));
  for (let round = 0; round < warmUps && now() - began < mostMs / 2; round++)
    for (const { request, context } of asked) answersTo(request, set, context);
  const samples: number[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const { request, context } of asked) {
      const before = now();
      answersTo(request, set, context);
      samples.push(now() - before);
    }
    if (samples.length >= mostSamples || now() - began >= mostMs) break;
  }
  samples.sort((a, b) => a - b);
  return {
    samples: samples.length,
    p50Ms: quantile(samples, 0.5),
    p99Ms: quantile(samples, 0.99),
    mostMs: quantile(samples, 1),
  };
}

/** By nearest rank: a value that was measured. */
function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

function spentOf(set: PolicySet, looks: readonly (Asked & Look)[]): BenchedPolicy["spent"] {
  const cel = spentIn("cel", set, looks);
  const rego = spentIn("rego", set, looks);
  return { ...(cel === undefined ? {} : { cel }), ...(rego === undefined ? {} : { rego }) };
}

function spentIn(
  language: SpentLanguage,
  set: PolicySet,
  looks: readonly (Asked & Look)[],
): SpentWork | undefined {
  const counted = looks
    .flatMap((look) => {
      const units = look.spent[language];
      return units === undefined ? [] : [{ look, units }];
    })
    .sort((a, b) => a.units - b.units);
  const costliest = counted.at(-1);
  if (costliest === undefined) return undefined;
  const { look, units: most } = costliest;
  const { object, oldObject } = look.request;
  const request = { ...look.request, object: withLongLists(object), oldObject: withLongLists(oldObject) };
  const grown = lookAt(set, { request, context: look.context });
  return {
    median: quantile(
      counted.map(({ units }) => units),
      0.5,
    ),
    most,
    mostAt: look.index,
    withLongLists: grown.spent[language] ?? 0,
    failsWithLongLists: grown.isFailed && !look.isFailed,
    limit: limits[language],
  };
}

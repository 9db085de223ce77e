/** A process that times `PolicySet.evaluate`: `node evaluation-process.ts LANGUAGE SIZE SECONDS`. See `evaluation.ts`. */
import { type AdmissionRequestLike, buildPolicySet, type PolicySet } from "@shieldx/policy-engine";
import { quantile } from "../lib/statistics.ts";
import { compiledRego, stored } from "./compiled.ts";
import { type ShieldLanguage, shieldPolicies } from "./render/shield-policies.ts";
import { reviewOf } from "./review.ts";
import { judgedPods, type PolicyRule, rulesOf, spread } from "./rules/rules.ts";

const namespace = "bench";
const context = { namespaceLabels: { bench: namespace }, failurePolicy: "Fail", now: 0 } as const;
/** The time a request has in the webhook when a policy asks for ten seconds. */
const deadlineMs = 9_500;
const leastWarmUpSeconds = 1;
const differentPods = 50;
const mostPods = 200;

async function run(language: ShieldLanguage, size: number, seconds: number): Promise<object> {
  const rules = rulesOf(size);
  const policies = stored(shieldPolicies(namespace, language, rules));
  const began = performance.now();
  const rego = language === "rego" ? await compiledRego(policies) : undefined;
  const set = buildPolicySet({ policies, exceptions: [], serverMinor: 37, rego });
  const buildMs = performance.now() - began;
  if (set.problems.length > 0) throw new Error(`cannot be compiled: ${set.problems[0]?.error.message}`);
  compareVerdicts(set, rules);
  const texts = judgedPods(rules)
    .filter(({ breaks }) => breaks === undefined)
    .slice(0, differentPods)
    .map(({ pod }, at) => JSON.stringify(reviewOf(pod, namespace, `review-${at}`)));
  time(set, texts, Math.max(leastWarmUpSeconds, seconds));
  const tookMs = time(set, texts, seconds);
  const [p50, p99] = [quantile(tookMs, 0.5), quantile(tookMs, 0.99)];
  return { event: "evaluated", buildMs, p50, p99, evaluations: tookMs.length };
}

/** Every evaluation has an object of its own, as it comes from the wire: nothing can be kept from the one before. */
function time(set: PolicySet, texts: readonly string[], seconds: number): number[] {
  const tookMs: number[] = [];
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until) {
    for (const text of texts) {
      const { request } = JSON.parse(text) as { request: AdmissionRequestLike };
      const since = performance.now();
      const { allowed } = set.evaluate(request, { ...context, deadlineMs });
      tookMs.push(performance.now() - since);
      if (!allowed) throw new Error(`${request.name} was refused`);
    }
  }
  return tookMs;
}

function compareVerdicts(set: PolicySet, rules: readonly PolicyRule[]): void {
  for (const { name, pod, breaks } of spread(judgedPods(rules), mostPods)) {
    const { request } = reviewOf(pod, namespace, name) as unknown as { request: AdmissionRequestLike };
    const { denials } = set.evaluate(JSON.parse(JSON.stringify(request)), context);
    const said = denials.map(({ policy }) => policy).join();
    const expected = breaks === undefined ? "" : `${namespace}-${breaks.name}`;
    if (said !== expected) throw new Error(`${name}: refused by "${said}", expected "${expected}"`);
  }
}

const [language = "cel", size = "16", seconds = "1"] = process.argv.slice(2);
console.log(JSON.stringify(await run(language as ShieldLanguage, Number(size), Number(seconds))));

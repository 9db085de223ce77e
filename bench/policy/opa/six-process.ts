/** A process that times one policy of six rules in `PolicySet.evaluate`: `node six-process.ts SECONDS`. */
import { type AdmissionRequestLike, buildPolicySet } from "@shieldx/policy-engine";
import { quantile } from "../../lib/statistics.ts";
import { compiledRego, stored } from "../compiled.ts";
import { reviewOf } from "../review.ts";
import { changedPod } from "../rules/pod-change.ts";
import { podRules } from "../rules/rules.ts";
import { sixRules } from "./six-rules.ts";

const [seconds = "1"] = process.argv.slice(2);
const spec = {
  engine: "rego",
  rego: { module: sixRules },
  matchConstraints: { resourceRules: podRules },
  actions: { admission: "deny" },
};
const policies = stored([
  { apiVersion: "shieldx.io/v1alpha1", kind: "ShieldPolicy", metadata: { name: "six" }, spec },
]);
const rego = await compiledRego(policies);
const set = buildPolicySet({ policies, exceptions: [], serverMinor: 37, rego });
if (set.problems.length > 0) throw new Error(`cannot be compiled: ${set.problems[0]?.error.message}`);
const text = JSON.stringify(reviewOf(changedPod("typical", {}), "bench", "review"));

/** Every evaluation has an object of its own, as it comes from the wire. */
function time(durationMs: number): number[] {
  const tookMs: number[] = [];
  const until = performance.now() + durationMs;
  while (performance.now() < until) {
    const { request } = JSON.parse(text) as { request: AdmissionRequestLike };
    const since = performance.now();
    const { allowed } = set.evaluate(request, {
      namespaceLabels: {},
      failurePolicy: "Fail",
      now: 0,
      deadlineMs: 9_500,
    });
    tookMs.push(performance.now() - since);
    if (!allowed) throw new Error("the Pod was refused");
  }
  return tookMs;
}

time(1_000);
console.log(JSON.stringify({ event: "evaluated", medianMs: quantile(time(Number(seconds) * 1_000), 0.5) }));

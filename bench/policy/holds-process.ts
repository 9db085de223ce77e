/** A process in which hostile rules meet large Pods: `node holds-process.ts LANGUAGE ROUNDS`. See `holds.ts`. */
import type { ShieldPolicy } from "@shieldx/crds";
import { type AdmissionRequestLike, buildPolicySet, threadCpuNow } from "@shieldx/policy-engine";
import { compiledRego, stored } from "./compiled.ts";
import type { ShieldLanguage } from "./render/shield-policies.ts";
import { reviewOf } from "./review.ts";

const list = "object.spec.containers";
const cel: Readonly<Record<string, string>> = {
  loops: `${list}.all(a, ${list}.all(b, ${list}.all(c, a.name + b.name != c.name)))`,
  lists: `${list}.map(a, ${list}.map(b, a.name + b.name)).size() > 0`,
  texts: `${list}.map(a, a.image).join(',').split('').map(x, x + 'y').join('').lowerAscii().size() > 0`,
  replacing:
    "object.metadata.annotations['long'].replace('a','bb').replace('b','cc').replace('c','dd').size() > 0",
  patterns: `${list}.all(a, a.image.matches('(a|b|ab)*(c|d)*[x-z]{1,50}$') || a.name != '')`,
  pattern: "object.metadata.annotations['long'].matches('(.*a){8}(.*b){8}$')",
  sorting: `${list}.map(a, a.image).sort().isSorted()`,
  equality: `${list}.all(a, ${list} == ${list})`,
  sets: `sets.equivalent(${list}.map(a, a.name), ${list}.map(a, a.image))`,
};

const containers = "input.request.object.spec.containers";
const rego: Readonly<Record<string, string>> = {
  loops: `some a in ${containers}\n  some b in ${containers}\n  some c in ${containers}\n  concat("", [a.name, b.name]) == c.name`,
  numbers: "some a in numbers.range(1, 100000)\n  some b in numbers.range(1, 100000)\n  a + b == 0",
  texts: `count(split(concat(",", [x | some c in ${containers}; x := upper(c.image)]), "")) < 0`,
  sets: `count({[a.name, b.name] | some a in ${containers}; some b in ${containers}}) < 0`,
  patterns: `some c in ${containers}\n  regex.match("(a|b|ab)*(c|d)*[x-z]{1,50}$", c.image)\n  c.name == ""`,
  walking: `some path\n  walk(${containers}, [path, 7])\n  count(path) > 1000000`,
  encoding: `some c in ${containers}\n  crypto.sha256(json.marshal(${containers})) == c.name`,
};

const matchConstraints = {
  resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
};
const failing = { failurePolicy: "Fail", actions: { admission: "deny" }, matchConstraints };

function policies(language: ShieldLanguage): ShieldPolicy[] {
  const specs =
    language === "rego"
      ? Object.entries(rego).map(([name, body]) => {
          const module = `package hostile\n\ndeny contains "it" if {\n  ${body}\n}\n`;
          return [name, { engine: "rego", rego: { module } }] as const;
        })
      : Object.entries(cel).map(([name, expression]) => {
          return [name, { engine: "cel", evaluation: "Webhook", validations: [{ expression }] }] as const;
        });
  return stored(
    specs.map(([name, spec]) => ({
      apiVersion: "shieldx.io/v1alpha1",
      kind: "ShieldPolicy",
      metadata: { name },
      spec: { ...failing, ...spec },
    })),
  );
}

/** Some 0.8 MB: about half of what etcd takes. */
function largePod(): Readonly<Record<string, unknown>> {
  const many = Array.from({ length: 3_000 }, (_, at) => ({
    name: `c${at}`,
    image: `${"abab".repeat(40)}${at}`,
  }));
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "large", annotations: { long: "ab".repeat(100_000) } },
    spec: { containers: many },
  };
}

async function run(language: ShieldLanguage, rounds: number): Promise<object> {
  const hostile = policies(language);
  const lookup = language === "rego" ? await compiledRego(hostile) : undefined;
  const text = JSON.stringify(reviewOf(largePod(), "bench", "review"));
  let longestMs = 0;
  for (const policy of hostile) {
    const set = buildPolicySet({ policies: [policy], exceptions: [], serverMinor: 37, rego: lookup });
    if (set.problems.length > 0)
      throw new Error(`${policy.metadata.name}: ${set.problems[0]?.error.message}`);
    for (let round = 0; round < rounds; round++) {
      const { request } = JSON.parse(text) as { request: AdmissionRequestLike };
      const turns = set.evaluation(request, {
        ...{ namespaceLabels: {}, namespaceObject: {}, now: 0 },
        ...{ deadlineMs: 9_500, cpuNow: threadCpuNow },
      });
      for (let isDone = false; !isDone; ) {
        const since = threadCpuNow();
        isDone = turns.next().done === true;
        const tookMs = threadCpuNow() - since;
        if (tookMs > longestMs) console.error(`${language} ${policy.metadata.name}: ${tookMs.toFixed(1)} ms`);
        longestMs = Math.max(longestMs, tookMs);
      }
    }
  }
  return { event: "held", longestMs };
}

const [language = "cel", rounds = "5"] = process.argv.slice(2);
console.log(JSON.stringify(await run(language as ShieldLanguage, Number(rounds))));

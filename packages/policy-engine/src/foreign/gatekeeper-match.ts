/** `spec.match` of a constraint as match constraints and, for what these cannot say, conditions in CEL. */
import { celString } from "../native/cel-text.ts";
import { type RuleSurroundings, rulesOf } from "./gatekeeper-rules.ts";
import { bothSelectors } from "./narrowing.ts";
import { type Plain, stated } from "./plain.ts";
import type { Source } from "./source.ts";

export interface Match {
  readonly matchConstraints: Plain;
  readonly matchConditions: readonly Plain[];
}

const fields = [
  ...[
    "source",
    "kinds",
    "scope",
    "namespaces",
    "excludedNamespaces",
    "labelSelector",
    "namespaceSelector",
    "name",
  ],
];
const nameLabel = "kubernetes.io/metadata.name";

/** @param excluded namespaces that Gatekeeper's Config leaves out for all */
export function matchOf(
  constraint: Source,
  surroundings: RuleSurroundings,
  excluded: readonly string[],
): Match {
  constraint.known("spec.match", fields);
  const source = constraint.text("spec.match.source");
  if (source === "Generated")
    constraint.error(
      "spec.match.source",
      "Generated is about objects of Gatekeeper's ExpansionTemplates, which ShieldX does not have: write a policy about the workload itself",
    );
  const within = constraint.texts("spec.match.namespaces") ?? [];
  const without = [...(constraint.texts("spec.match.excludedNamespaces") ?? []), ...excluded];
  const exactWithin = within.every(isExact) ? within : [];
  const exactWithout = without.filter(isExact);
  const conditions = [
    exactWithin.length === within.length ? [] : [condition("gatekeeper-namespaces", anyNamespace(within))],
    exactWithout.length === without.length
      ? []
      : [condition("gatekeeper-excluded-namespaces", noNamespace(without.filter((name) => !isExact(name))))],
    nameConditions(constraint),
  ];
  const byName = stated({
    matchExpressions: [
      ...(exactWithin.length > 0
        ? [{ key: nameLabel, operator: "In", values: [...new Set(exactWithin)] }]
        : []),
      ...(exactWithout.length > 0
        ? [{ key: nameLabel, operator: "NotIn", values: [...new Set(exactWithout)] }]
        : []),
    ],
  });
  const namespaceSelector = bothSelectors(
    constraint.record("spec.match.namespaceSelector"),
    Object.keys(byName).length === 0 ? undefined : byName,
  );
  return {
    matchConstraints: stated({
      resourceRules: rulesOf(constraint, surroundings),
      namespaceSelector,
      objectSelector: constraint.record("spec.match.labelSelector"),
    }),
    matchConditions: conditions.flat(),
  };
}

function isExact(pattern: string): boolean {
  return !pattern.startsWith("*") && !pattern.endsWith("*");
}

function condition(name: string, expression: string): Plain {
  return { name, expression };
}

/** Gatekeeper's globs: an asterisk at the beginning, at the end, or both (pkg/wildcard). */
function celGlob(subject: string, pattern: string): string {
  const [isOpen, isOpenEnded] = [pattern.startsWith("*"), pattern.endsWith("*")];
  const text = celString(pattern.slice(isOpen ? 1 : 0, isOpenEnded && pattern.length > 1 ? -1 : undefined));
  if (isOpen && isOpenEnded) return `${subject}.contains(${text})`;
  if (isOpen) return `${subject}.endsWith(${text})`;
  return isOpenEnded ? `${subject}.startsWith(${text})` : `${subject} == ${text}`;
}

/** What is in no namespace is never left out by one. */
const inNone = "!has(request.namespace) || request.namespace == ''";

function anyNamespace(patterns: readonly string[]): string {
  return [inNone, ...patterns.map((pattern) => celGlob("request.namespace", pattern))].join(" || ");
}

function noNamespace(patterns: readonly string[]): string {
  const some = patterns.map((pattern) => celGlob("request.namespace", pattern)).join(" || ");
  return `${inNone} || !(${some})`;
}

function nameConditions(constraint: Source): Plain[] {
  const pattern = constraint.text("spec.match.name") ?? "";
  if (pattern === "") return [];
  const named = `has(o.metadata.name) && ${celGlob("o.metadata.name", pattern)}`;
  // A name that the API server makes up is not there yet.
  const generated = pattern.endsWith("*")
    ? ` || has(o.metadata.generateName) && ${celGlob("o.metadata.generateName", pattern)}`
    : "";
  return [condition("gatekeeper-name", `[object, oldObject].exists(o, o != null && (${named}${generated}))`)];
}

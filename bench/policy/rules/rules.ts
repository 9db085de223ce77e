import type { Manifest } from "../../../e2e/shieldx/objects.ts";
import { containersVariable } from "../../admission/rules/pod-cel.ts";
import { type BaseRule, baseRules, type RuleTerms } from "./base-rules.ts";
import { changedPod } from "./pod-change.ts";

/** One distinct rule about Pods. */
export interface PolicyRule extends RuleTerms {
  /** `registry-7`: its base and which variant of it. */
  readonly name: string;
  readonly base: BaseRule;
}

/** `count` distinct rules, those of a smaller count first: every sixteen are one variant of each base. */
export function rulesOf(count: number): PolicyRule[] {
  const variants = Array.from({ length: Math.ceil(count / baseRules.length) }, (_, at) => at + 1);
  return variants
    .flatMap((n) => baseRules.map((base) => ({ name: `${base.name}-${n}`, base, ...base.variant(n) })))
    .slice(0, count);
}

/** At most so many of the items, evenly from the first to the last. */
export function spread<T>(items: readonly T[], most: number): readonly T[] {
  if (items.length <= most) return items;
  const step = (items.length - 1) / (most - 1);
  return Array.from({ length: most }, (_, at) => items[Math.round(at * step)]).filter(
    (item) => item !== undefined,
  );
}

/** A Pod and what everybody must say of it. */
export interface JudgedPod {
  readonly name: string;
  readonly pod: Manifest;
  /** The rule that it breaks, as the only one; undefined when it is to be let in. */
  readonly breaks: PolicyRule | undefined;
}

/** The typical Pod, and for each rule one that breaks it and one that only comes close. */
export function judgedPods(rules: readonly PolicyRule[]): JudgedPod[] {
  return [
    { name: "typical", pod: changedPod("typical", {}), breaks: undefined },
    ...rules.flatMap((rule) => {
      const [bad, good] = [`breaks-${rule.name}`, `keeps-${rule.name}`];
      return [
        { name: bad, pod: changedPod(bad, rule.breaking), breaks: rule },
        { name: good, pod: changedPod(good, rule.keeping), breaks: undefined },
      ];
    }),
  ];
}

export const celVariables = [containersVariable] as const;

/** In scope of every rule's Rego, beside `resource`, the object of the request. */
export const regoPreamble = `
spec := resource.spec

containers[c] { c := spec.containers[_] }
containers[c] { c := spec.initContainers[_] }
containers[c] { c := spec.ephemeralContainers[_] }

contexts[s] { s := spec.securityContext }
contexts[s] { s := containers[_].securityContext }
`;

/** Pods, as every peer and language names them. */
export const podRules = [
  { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: ["pods"] },
] as const;

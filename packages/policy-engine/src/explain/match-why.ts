import {
  type CompiledMatch,
  compileMatch,
  type MatchConstraintsLike,
  type MatchSubject,
} from "../policy-set/match.ts";
import type { ResourceRuleLike } from "../policy-set/resource-rules.ts";

const path = "spec.matchConstraints";

/** Why the constraints of a policy do not cover a request; undefined where they do. */
export function whyNotMatched(
  constraints: MatchConstraintsLike | undefined,
  defaultRules: readonly ResourceRuleLike[],
  subject: MatchSubject,
): string | undefined {
  const { resourceRules, matchPolicy, excludeResourceRules, objectSelector, namespaceSelector } =
    constraints ?? {};
  // One after the other, each on top of those before: the first that turns the answer is the reason.
  const steps: readonly [MatchConstraintsLike, () => string][] = [
    [{ resourceRules, matchPolicy }, () => notCovered(subject)],
    [{ excludeResourceRules }, () => `${path}.excludeResourceRules leave ${called(subject)} out`],
    [{ objectSelector }, () => `${path}.objectSelector does not choose the object: its labels do not fit`],
    [{ namespaceSelector }, () => `${path}.namespaceSelector does not choose ${namespaceCalled(subject)}`],
  ];
  let so: MatchConstraintsLike = {};
  for (const [more, why] of steps) {
    so = { ...so, ...more };
    const match: CompiledMatch = compileMatch(so, defaultRules, path);
    if (match.answer(subject) === "no") return why();
  }
  return undefined;
}

function notCovered({ asked, ...subject }: MatchSubject): string {
  const other =
    asked === undefined ? "" : `, or another rule covers the form it was asked in (${asked.resource})`;
  return `${path}.resourceRules do not cover ${called(subject)}${other}`;
}

function called({ target }: Pick<MatchSubject, "target">): string {
  const { operation, group, version, resource, subresource } = target;
  const name = subresource === "" ? resource : `${resource}/${subresource}`;
  return `${operation} of ${name} (${group === "" ? version : `${group}/${version}`})`;
}

function namespaceCalled({ target, selectableLabels }: MatchSubject): string {
  const labels = Object.entries(selectableLabels).slice(0, 10);
  const shown = labels.map(([key, value]) => `${key}=${String(value)}`).join(", ");
  return `namespace "${target.namespace}", whose labels are ${shown}`;
}

/** Rules of `ShieldPolicy.spec` about its rollout, each once in CEL for the API server and once in TypeScript. */
import type { Rule } from "../structural/server-check.ts";
import { hasWildcard } from "./effective.ts";
import type { SpecFields } from "./spec.ts";

type SpecRule = Rule<SpecFields>;

export const rolloutRules: readonly SpecRule[] = [
  {
    rule: "!has(self.rollout) || has(self.rollout.shadow) || has(self.rollout.canary) || has(self.rollout.bake)",
    message: "names no stage: add shadow, canary or bake, or remove it",
    fieldPath: ".rollout",
    holds: ({ rollout }) =>
      rollout === undefined ||
      rollout.shadow !== undefined ||
      rollout.canary !== undefined ||
      rollout.bake !== undefined,
  },
  {
    rule: "!has(self.rollout) || self.actions.admission != 'off'",
    message: "actions.admission is off, so there is nothing to roll out: remove rollout, or choose an action",
    fieldPath: ".rollout",
    holds: ({ rollout, actions }) => rollout === undefined || actions.admission !== "off",
  },
  {
    rule: "!has(self.rollout) || !has(self.mutations) || size(self.mutations) == 0",
    message:
      "not yet supported for policies with mutations: put the validations that are to go in by stages into a policy of their own",
    reason: "FieldValueForbidden",
    fieldPath: ".rollout",
    holds: ({ rollout, mutations }) => rollout === undefined || (mutations ?? []).length === 0,
  },
  {
    rule:
      "!has(self.rollout) || !has(self.matchConstraints) || !has(self.matchConstraints.resourceRules) || " +
      "self.matchConstraints.resourceRules.all(r, !('*' in r.apiGroups) && r.resources.all(n, !n.contains('*')))",
    message:
      "the stages are kept by ShieldX's webhook, which takes no * in apiGroups and resources of matchConstraints: name them, or remove rollout",
    fieldPath: ".rollout",
    holds: ({ rollout, matchConstraints }) =>
      rollout === undefined || !(matchConstraints?.resourceRules ?? []).some(hasWildcard),
  },
];

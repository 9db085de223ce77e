/** Rules of `ShieldPolicy.spec` about mutations, each once in CEL for the API server and once in TypeScript. */
import type { Rule } from "../structural/server-check.ts";
import type { SpecFields } from "./spec.ts";

type SpecRule = Rule<SpecFields>;

const mutates = ({ mutations }: SpecFields): boolean => (mutations ?? []).length > 0;

export const mutationRules: readonly SpecRule[] = [
  {
    rule: "self.engine == 'cel' || !has(self.mutations)",
    message: "belongs to engine cel: remove it, or put it into a policy of its own with engine: cel",
    reason: "FieldValueForbidden",
    fieldPath: ".mutations",
    holds: (spec) => spec.engine === "cel" || spec.mutations === undefined,
  },
  {
    rule: "!has(self.mutations) || size(self.mutations) == 0 || self.actions.admission in ['deny', 'off']",
    message:
      "a policy with mutations changes objects or is off, it cannot warn or take note: use deny (or off), and put validations that warn into a policy of their own",
    fieldPath: ".actions.admission",
    holds: (spec) => !mutates(spec) || ["deny", "off"].includes(spec.actions.admission),
  },
  {
    rule:
      "!has(self.mutations) || size(self.mutations) == 0 || !has(self.matchConstraints) || " +
      "!has(self.matchConstraints.resourceRules) || " +
      "self.matchConstraints.resourceRules.exists(r, r.operations.exists(o, o in ['CREATE', 'UPDATE', '*']))",
    message:
      "mutations are made when objects are created or updated: name CREATE or UPDATE in the operations of a rule",
    fieldPath: ".matchConstraints.resourceRules",
    holds: (spec) =>
      !mutates(spec) ||
      spec.matchConstraints?.resourceRules === undefined ||
      spec.matchConstraints.resourceRules.some(({ operations }) =>
        operations.some((operation) => ["CREATE", "UPDATE", "*"].includes(operation)),
      ),
  },
  {
    rule:
      "!has(self.actions.background) || self.actions.background == 'off' || self.engine != 'cel' || " +
      "(has(self.validations) && size(self.validations) > 0) || !has(self.mutations)",
    message:
      "a policy that only mutates finds nothing wrong with existing objects: set background: off, or add validations",
    fieldPath: ".actions.background",
    holds: (spec) =>
      (spec.actions.background ?? "off") === "off" ||
      spec.engine !== "cel" ||
      (spec.validations ?? []).length > 0 ||
      spec.mutations === undefined,
  },
  {
    rule: "!has(self.reinvocationPolicy) || has(self.mutations)",
    message: "is about mutations: remove it, or add spec.mutations",
    reason: "FieldValueForbidden",
    fieldPath: ".reinvocationPolicy",
    holds: (spec) => spec.reinvocationPolicy === undefined || spec.mutations !== undefined,
  },
];

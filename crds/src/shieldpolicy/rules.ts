/** Cross-field rules of `ShieldPolicy.spec`: each once in CEL for the API server and once in TypeScript. */
import { type Rule, rule } from "../structural/server-check.ts";
import { hasWildcard, isOnlyServed } from "./effective.ts";
import { imageRules } from "./image-rules.ts";
import { mutationRules } from "./mutation-rules.ts";
import { rolloutRules } from "./rollout-rules.ts";
import type { SpecFields } from "./spec.ts";

type SpecRule = Rule<SpecFields>;

/** Resources whose Pods or Pod templates engines podSecurity and images can judge. */
export const POD_SECURITY_RESOURCES = [
  "pods",
  "pods/ephemeralcontainers",
  "podtemplates",
  "replicationcontrollers",
  "replicasets",
  "deployments",
  "statefulsets",
  "daemonsets",
  "jobs",
  "cronjobs",
] as const;

function isCelInWebhook({ engine, evaluation }: SpecFields): boolean {
  return engine === "cel" && evaluation === "Webhook";
}

/** Refuses a field of engine cel in a policy of another. */
function onlyForCel(field: keyof SpecFields & string): SpecRule {
  return {
    rule: `self.engine == 'cel' || !has(self.${field})`,
    message: "belongs to engine cel: remove it, or put it into a policy of its own with engine: cel",
    reason: "FieldValueForbidden",
    fieldPath: `.${field}`,
    holds: (spec) => spec.engine === "cel" || spec[field] === undefined,
  };
}

/** Engines that know themselves which requests they can judge: those about Pods. */
const podEngines = ["podSecurity", "images"] as const;
const judgesPods = ({ engine }: SpecFields): boolean => (podEngines as readonly string[]).includes(engine);
const JUDGES_PODS = `self.engine in [${podEngines.map((name) => `'${name}'`).join(", ")}]`;

/** Refuses a field that engines for Pods have no use for. */
function notForPodEngines(field: keyof SpecFields & string): SpecRule {
  return {
    rule: `!(${JUDGES_PODS}) || !has(self.${field})`,
    message:
      "belongs to engines cel and rego: remove it, or put it into a policy of its own with one of them",
    reason: "FieldValueForbidden",
    fieldPath: `.${field}`,
    holds: (spec) => !judgesPods(spec) || spec[field] === undefined,
  };
}

const engineRules: readonly SpecRule[] = [
  {
    rule: "self.engine != 'rego' || has(self.rego)",
    message: "engine rego needs spec.rego: add rego: {module: ...}",
    reason: "FieldValueRequired",
    fieldPath: ".rego",
    holds: (spec) => spec.engine !== "rego" || spec.rego !== undefined,
  },
  {
    rule: "self.engine == 'rego' || !has(self.rego)",
    message: "belongs to engine rego: remove it, or set engine: rego",
    reason: "FieldValueForbidden",
    fieldPath: ".rego",
    holds: (spec) => spec.engine === "rego" || spec.rego === undefined,
  },
  {
    rule: "self.engine != 'podSecurity' || has(self.podSecurity)",
    message:
      "engine podSecurity needs spec.podSecurity: add podSecurity: {level: baseline} or {level: restricted}",
    reason: "FieldValueRequired",
    fieldPath: ".podSecurity",
    holds: (spec) => spec.engine !== "podSecurity" || spec.podSecurity !== undefined,
  },
  {
    rule: "self.engine == 'podSecurity' || !has(self.podSecurity)",
    message: "belongs to engine podSecurity: remove it, or set engine: podSecurity",
    reason: "FieldValueForbidden",
    fieldPath: ".podSecurity",
    holds: (spec) => spec.engine === "podSecurity" || spec.podSecurity === undefined,
  },
  onlyForCel("validations"),
  onlyForCel("variables"),
  notForPodEngines("paramKind"),
  notForPodEngines("paramRef"),
  onlyForCel("auditAnnotations"),
  ...podEngines.map(
    (engine): SpecRule => ({
      rule: `self.engine != '${engine}' || !has(self.matchConditions)`,
      message: `matchConditions with engine ${engine} are not yet supported: choose Pods by matchConstraints (namespaceSelector, objectSelector)`,
      reason: "FieldValueForbidden",
      fieldPath: ".matchConditions",
      holds: (spec) => spec.engine !== engine || spec.matchConditions === undefined,
    }),
  ),
  {
    rule:
      "self.engine != 'cel' || (has(self.validations) && size(self.validations) > 0) || " +
      "(has(self.auditAnnotations) && size(self.auditAnnotations) > 0) || " +
      "(has(self.mutations) && size(self.mutations) > 0)",
    message:
      "engine cel needs at least one entry in spec.validations (or spec.mutations, or spec.auditAnnotations): add a rule to keep",
    reason: "FieldValueRequired",
    fieldPath: ".validations",
    holds: (spec) =>
      spec.engine !== "cel" ||
      (spec.validations ?? []).length > 0 ||
      (spec.auditAnnotations ?? []).length > 0 ||
      (spec.mutations ?? []).length > 0,
  },
  {
    rule:
      `${JUDGES_PODS} || (has(self.matchConstraints) && has(self.matchConstraints.resourceRules) && ` +
      "size(self.matchConstraints.resourceRules) > 0) || (has(self.actions.http) && self.actions.http == 'serve' && " +
      "self.actions.admission == 'off' && (!has(self.actions.background) || self.actions.background == 'off'))",
    message:
      "engines cel and rego need spec.matchConstraints.resourceRules: name the groups, versions, resources and operations the policy is about",
    reason: "FieldValueRequired",
    fieldPath: ".matchConstraints",
    holds: (spec) =>
      judgesPods(spec) || (spec.matchConstraints?.resourceRules ?? []).length > 0 || isOnlyServed(spec),
  },
  {
    rule: "has(self.paramKind) == has(self.paramRef)",
    message: "spec.paramKind and spec.paramRef belong together: set both or neither",
    fieldPath: ".paramRef",
    holds: (spec) => (spec.paramKind === undefined) === (spec.paramRef === undefined),
  },
];

const podMatchRules: readonly SpecRule[] = podEngines.flatMap((engine): SpecRule[] => [
  {
    rule:
      `self.engine != '${engine}' || !has(self.matchConstraints) || !has(self.matchConstraints.resourceRules) || ` +
      `self.matchConstraints.resourceRules.all(r, r.resources.all(n, n in [${POD_SECURITY_RESOURCES.map((name) => `'${name}'`).join(", ")}]))`,
    message: `engine ${engine} judges only ${POD_SECURITY_RESOURCES.join(", ")}: remove other resources, or leave resourceRules out to cover all of these`,
    fieldPath: ".matchConstraints.resourceRules",
    holds: (spec) =>
      spec.engine !== engine ||
      (spec.matchConstraints?.resourceRules ?? []).every((rules) =>
        rules.resources.every((name) => (POD_SECURITY_RESOURCES as readonly string[]).includes(name)),
      ),
  },
  {
    rule:
      `self.engine != '${engine}' || !has(self.matchConstraints) || !has(self.matchConstraints.resourceRules) || ` +
      "self.matchConstraints.resourceRules.all(r, r.operations.all(o, o in ['CREATE', 'UPDATE']))",
    message: `engine ${engine} judges only what is created or changed: use operations CREATE and UPDATE`,
    fieldPath: ".matchConstraints.resourceRules",
    holds: (spec) =>
      spec.engine !== engine ||
      (spec.matchConstraints?.resourceRules ?? []).every((rules) =>
        rules.operations.every((operation) => operation === "CREATE" || operation === "UPDATE"),
      ),
  },
]);

const evaluationRules: readonly SpecRule[] = [
  {
    rule:
      "self.engine != 'cel' || self.evaluation != 'Webhook' || !has(self.matchConstraints) || " +
      "!has(self.matchConstraints.resourceRules) || self.matchConstraints.resourceRules.all(r, " +
      "!('*' in r.apiGroups) && r.resources.all(n, !n.contains('*')))",
    message:
      "evaluation Webhook takes no * in apiGroups and resources, or the whole cluster would wait for ShieldX: name them, or use Native",
    fieldPath: ".matchConstraints.resourceRules",
    holds: (spec) => !isCelInWebhook(spec) || !(spec.matchConstraints?.resourceRules ?? []).some(hasWildcard),
  },
  {
    rule:
      "self.engine != 'rego' || !has(self.matchConstraints) || !has(self.matchConstraints.resourceRules) || " +
      "self.matchConstraints.resourceRules.all(r, !('*' in r.apiGroups) && r.resources.all(n, !n.contains('*')))",
    message:
      "engine rego takes no * in apiGroups and resources, or the whole cluster would wait for ShieldX: name them",
    fieldPath: ".matchConstraints.resourceRules",
    holds: (spec) =>
      spec.engine !== "rego" || !(spec.matchConstraints?.resourceRules ?? []).some(hasWildcard),
  },
  {
    rule: "self.engine != 'rego' || self.evaluation != 'Native'",
    message: "the API server does not understand Rego: use Auto or Webhook",
    fieldPath: ".evaluation",
    holds: (spec) => spec.engine !== "rego" || spec.evaluation !== "Native",
  },
  {
    rule: "self.engine != 'podSecurity' || self.evaluation != 'Native'",
    message: "evaluation Native with engine podSecurity is not yet supported: use Auto or Webhook",
    fieldPath: ".evaluation",
    holds: (spec) => spec.engine !== "podSecurity" || spec.evaluation !== "Native",
  },
  {
    rule: "self.engine == 'rego' || !has(self.actions.http) || self.actions.http == 'off'",
    message: "only engine rego has rules that can be asked for over HTTP: remove http, or set engine: rego",
    reason: "FieldValueForbidden",
    fieldPath: ".actions.http",
    holds: (spec) => spec.engine === "rego" || (spec.actions.http ?? "off") === "off",
  },
];

/** All rules of `ShieldPolicy.spec`, as checks. */
export const specRules = [
  ...engineRules,
  ...podMatchRules,
  ...evaluationRules,
  ...mutationRules,
  ...rolloutRules,
  ...imageRules,
].map((entry) => rule<SpecFields>(entry));

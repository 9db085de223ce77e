/** What a policy is about, what it does, and where it does not hold. */
import type { LabelSelector, ResourceRule, ShieldPolicySpec } from "@shieldx/crds";
import { kindsOf } from "../foreign/built-in-kinds.ts";
import { removedIn } from "../foreign/removed-apis.ts";
import { pluralOf } from "../offline/resource-of.ts";
import { neverJudgedNamespaces } from "../policy-set/request.ts";
import { expressionsOf } from "./expressions.ts";
import { finding, type LintFinding } from "./rules.ts";

const path = "spec.matchConstraints";

export function matchFindings(spec: ShieldPolicySpec, serverMinor: number): LintFinding[] {
  const rules = spec.matchConstraints?.resourceRules ?? [];
  return [
    ...reachFindings(spec, rules),
    ...rules.flatMap((rule, index) => ruleFindings(rule, `${path}.resourceRules[${index}]`, serverMinor)),
    ...selectorFindings(spec),
    ...operationFindings(spec, rules),
    ...actionFindings(spec),
  ];
}

function reachFindings(spec: ShieldPolicySpec, rules: readonly ResourceRule[]): LintFinding[] {
  const { namespaceSelector, objectSelector } = spec.matchConstraints ?? {};
  const isNarrowed =
    !isEmpty(namespaceSelector) || !isEmpty(objectSelector) || (spec.matchConditions ?? []).length > 0;
  const index = rules.findIndex(
    ({ apiGroups, resources }) =>
      apiGroups.includes("*") && resources.some((name) => name === "*" || name === "*/*"),
  );
  if (isNarrowed || index === -1) return [];
  return [
    finding("matches-everything", `${path}.resourceRules[${index}]`, "covers every resource of every group"),
  ];
}

function isEmpty(selector: LabelSelector | undefined): boolean {
  return (
    Object.keys(selector?.matchLabels ?? {}).length === 0 && (selector?.matchExpressions ?? []).length === 0
  );
}

/** Of a rule that names several versions, one that is still there is enough. */
function ruleFindings(
  { apiGroups, apiVersions, resources }: ResourceRule,
  at: string,
  minor: number,
): LintFinding[] {
  return apiGroups.flatMap((group) =>
    apiVersions.flatMap((version) => {
      const apiVersion = group === "" ? version : `${group}/${version}`;
      const gone = resources.flatMap((resource) => {
        const found = removedResource(apiVersion, group, resource);
        return found !== undefined && found.minor <= minor ? [{ resource, ...found }] : [];
      });
      return gone.map(({ resource, minor: since, instead }) =>
        finding(
          "removed-api-version",
          `${at}.apiVersions`,
          `${resource} of ${apiVersion} is not served since Kubernetes 1.${since} (now: ${instead})`,
        ),
      );
    }),
  );
}

/** Resources as the kinds of groups that are known; older groups had kinds of today's. */
function removedResource(apiVersion: string, group: string, resource: string) {
  const groups = group === "extensions" ? ["apps", "networking.k8s.io"] : [group];
  const kinds = groups.flatMap(kindsOf);
  const kind = kinds.find((each) => pluralOf(each) === resource.split("/")[0]);
  return kind === undefined ? removedIn(apiVersion, "") : removedIn(apiVersion, kind);
}

function selectorFindings({ matchConstraints, actions }: ShieldPolicySpec): LintFinding[] {
  const { namespaceSelector, objectSelector } = matchConstraints ?? {};
  const findings: LintFinding[] = [];
  if (namespaceSelector !== undefined && choosesAll(namespaceSelector))
    findings.push(
      finding(
        "selector-excludes-nothing",
        `${path}.namespaceSelector`,
        "every namespace that is judged has these labels",
      ),
    );
  if (actions.admission === "deny" && !isEmpty(objectSelector))
    findings.push(
      finding(
        "bypass-by-label",
        `${path}.objectSelector`,
        "whoever labels the object decides whether it is judged",
      ),
    );
  return findings;
}

/** Every namespace has its name as a label, and those that are never judged need not be left out. */
function choosesAll({ matchLabels = {}, matchExpressions = [] }: LabelSelector): boolean {
  return (
    Object.keys(matchLabels).length === 0 &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      if (key !== "kubernetes.io/metadata.name") return false;
      if (operator === "Exists") return true;
      return operator === "NotIn" && values.every((name) => neverJudgedNamespaces.includes(name));
    })
  );
}

/** Kinds whose objects are what they were when they were created. */
const unchanging = ["bindings", "tokenreviews", "subjectaccessreviews", "events"];

function operationFindings(spec: ShieldPolicySpec, rules: readonly ResourceRule[]): LintFinding[] {
  const covers = (resource: string, operation: string) =>
    rules.some(
      ({ resources, operations }) =>
        (resources.includes(resource) || resources.includes("*") || resources.includes("*/*")) &&
        (operations.includes(operation as "UPDATE") || operations.includes("*")),
    );
  const created = rules.flatMap(({ resources, operations }, index) =>
    operations.includes("CREATE") ? resources.map((resource) => ({ resource, index })) : [],
  );
  const missed = created.find(
    ({ resource }) =>
      !resource.includes("/") && !unchanging.includes(resource) && !covers(resource, "UPDATE"),
  );
  const findings: LintFinding[] = [];
  const isJudging = spec.engine !== "cel" || (spec.validations ?? []).length > 0;
  if (missed !== undefined && isJudging)
    findings.push(
      finding(
        "updates-slip-by",
        `${path}.resourceRules[${missed.index}].operations`,
        `${missed.resource} are judged when they are created, and not when they are updated`,
      ),
    );
  const texts = [...expressionsOf(spec).map(({ text }) => text), spec.rego?.module ?? ""];
  const isAboutPods = rules.some(({ resources }) => resources.includes("pods"));
  const reaches = rules.some(({ resources }) =>
    resources.some((name) =>
      ["pods/ephemeralcontainers", "pods/*", "*/*", "*/ephemeralcontainers"].includes(name),
    ),
  );
  if (isAboutPods && !reaches && texts.some((text) => text.includes("ephemeralContainers")))
    findings.push(
      finding(
        "ephemeral-containers-slip-by",
        `${path}.resourceRules`,
        "the rules look at ephemeralContainers, and are not asked when one is added",
      ),
    );
  return findings;
}

function actionFindings({ actions, failurePolicy, exceptions }: ShieldPolicySpec): LintFinding[] {
  const findings: LintFinding[] = [];
  if (actions.admission === "deny" && failurePolicy === "Ignore")
    findings.push(finding("deny-fails-open", "spec.failurePolicy", "what cannot be judged passes"));
  const everywhere = exceptions?.namespaces.selector;
  if (everywhere !== undefined && isEmpty(everywhere))
    findings.push(
      finding(
        "exceptions-everywhere",
        "spec.exceptions.namespaces.selector",
        "an empty selector means every namespace",
      ),
    );
  return findings;
}

import { Interned } from "../interned.ts";
import { isJsonObject, type JsonObject } from "../pod-security/shape-reader.ts";
import type { AdmissionRequestLike } from "./request.ts";
import { type RequestTarget, type ResourceRuleLike, ruleCovers, targetOf } from "./resource-rules.ts";
import { type CompiledSelector, compileSelector, type LabelSelectorLike, type Labels } from "./selector.ts";

/** `spec.matchConstraints`, with the names and shapes of ValidatingAdmissionPolicy. */
export interface MatchConstraintsLike {
  readonly resourceRules?: readonly ResourceRuleLike[] | undefined;
  readonly excludeResourceRules?: readonly ResourceRuleLike[] | undefined;
  readonly namespaceSelector?: LabelSelectorLike | undefined;
  readonly objectSelector?: LabelSelectorLike | undefined;
  readonly matchPolicy?: "Exact" | "Equivalent" | undefined;
}

/** What a request and its namespace say, worked out once for all policies. */
export interface MatchSubject {
  /** In the form in which the object came. */
  readonly target: RequestTarget;
  /** What the client asked for, where that is another group, version or resource. */
  readonly asked: RequestTarget | undefined;
  readonly object: unknown;
  readonly oldObject: unknown;
  /** Undefined when the caller does not know the namespace (yet). */
  readonly namespaceLabels: Labels | undefined;
  /** Those that are known, and the namespace's name, which every namespace bears as a label. */
  readonly selectableLabels: Labels;
}

/** `namespaceUnknown`: the answer hangs on labels of a namespace the caller could not find. */
export type MatchAnswer = "yes" | "no" | "namespaceUnknown";

export interface CompiledMatch {
  readonly resourceRules: readonly ResourceRuleLike[];
  readonly matchPolicy: "Exact" | "Equivalent";
  answer(subject: MatchSubject): MatchAnswer;
  /** False only where the answer is "no" whatever the objects are, which nobody has looked at. */
  mayCover(subject: MatchSubject): boolean;
}

export function matchSubject(
  request: AdmissionRequestLike,
  namespaceLabels: Labels | undefined,
): MatchSubject {
  const target = targetOf(request, request.resource);
  const asked = targetOf(request, request.requestResource ?? request.resource);
  return {
    target,
    asked: isSameResource(target, asked) ? undefined : asked,
    object: request.object,
    oldObject: request.oldObject,
    namespaceLabels,
    selectableLabels: { ...namespaceLabels, [nameLabel]: request.namespace ?? "" },
  };
}

function isSameResource(a: RequestTarget, b: RequestTarget): boolean {
  return a.group === b.group && a.version === b.version && a.resource === b.resource;
}

/**
 * Constraints in the same words are compiled once and are one object, by which a request answers them once.
 *
 * @throws PolicyCompileError when a selector is malformed.
 */
export function compileMatch(
  constraints: MatchConstraintsLike | undefined,
  defaultRules: readonly ResourceRuleLike[],
  path: string,
): CompiledMatch {
  const key = JSON.stringify([constraints, defaultRules, path]);
  const known = interned.get(key);
  if (known !== undefined) return known;
  const compiled = compileNew(constraints, defaultRules, path);
  interned.add(key, compiled);
  return compiled;
}

const interned = new Interned<CompiledMatch>();

function compileNew(
  constraints: MatchConstraintsLike | undefined,
  defaultRules: readonly ResourceRuleLike[],
  path: string,
): CompiledMatch {
  const asked = constraints?.resourceRules ?? [];
  const rules = asked.length > 0 ? asked : defaultRules;
  const excluded = constraints?.excludeResourceRules ?? [];
  const matchPolicy = constraints?.matchPolicy ?? "Equivalent";
  const namespaces = compileSelector(constraints?.namespaceSelector, `${path}.namespaceSelector`);
  const objects = compileSelector(constraints?.objectSelector, `${path}.objectSelector`);
  const coversRequest = ({ target, asked }: MatchSubject): boolean => {
    if (!rules.some((rule) => ruleCovers(rule, target))) return false;
    // The API server calls for each form that policies name: this one is judged in the form its own rules cover.
    if (asked !== undefined && (matchPolicy === "Exact" || rules.some((rule) => ruleCovers(rule, asked))))
      return false;
    const isExcluded = (form: RequestTarget): boolean => excluded.some((rule) => ruleCovers(rule, form));
    return !isExcluded(target) && (asked === undefined || !isExcluded(asked));
  };
  return {
    resourceRules: rules,
    matchPolicy,
    answer(subject) {
      if (!coversRequest(subject) || !matchesObject(objects, subject)) return "no";
      return matchesNamespace(namespaces, subject.target, subject);
    },
    mayCover(subject) {
      if (!coversRequest(subject)) return false;
      return isNamespace(subject.target) || matchesNamespace(namespaces, subject.target, subject) !== "no";
    },
  };
}

/**
 * Cluster-scoped objects have no namespace, so the selector does not hold them back; a Namespace is matched by
 * its own labels (ValidatingWebhook.namespaceSelector, admissionregistration.k8s.io/v1).
 */
function matchesNamespace(
  selector: CompiledSelector,
  target: RequestTarget,
  subject: MatchSubject,
): MatchAnswer {
  if (selector.matchesEverything) return "yes";
  if (isNamespace(target)) {
    const labels = labelsOf(subject.object) ?? labelsOf(subject.oldObject) ?? {};
    return selector.matches(labels) ? "yes" : "no";
  }
  if (target.namespace === "") return "yes";
  if (subject.namespaceLabels === undefined && selector.keys.some((key) => key !== nameLabel))
    return "namespaceUnknown";
  return selector.matches(subject.selectableLabels) ? "yes" : "no";
}

function isNamespace({ group, resource }: RequestTarget): boolean {
  return group === "" && resource === "namespaces";
}

/** Set by the API server on every namespace. */
const nameLabel = "kubernetes.io/metadata.name";

/** Either state of the object will do, so that relabelling cannot slip out from under a policy in one step. */
function matchesObject(selector: CompiledSelector, subject: MatchSubject): boolean {
  if (selector.matchesEverything) return true;
  const current = labelsOf(subject.object);
  const previous = labelsOf(subject.oldObject);
  return (
    (current !== undefined && selector.matches(current)) ||
    (previous !== undefined && selector.matches(previous))
  );
}

/** The labels of an object that can have labels; undefined when there is no object. */
export function labelsOf(object: unknown): Labels | undefined {
  const metadata = metadataOf(object);
  if (metadata === undefined) return undefined;
  const labels = Object.hasOwn(metadata, "labels") ? metadata.labels : undefined;
  return isJsonObject(labels) ? labels : {};
}

export function metadataOf(object: unknown): JsonObject | undefined {
  if (!isJsonObject(object) || !Object.hasOwn(object, "metadata")) return undefined;
  return isJsonObject(object.metadata) ? object.metadata : undefined;
}

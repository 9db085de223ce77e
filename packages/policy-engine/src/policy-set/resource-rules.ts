import type { AdmissionRequestLike, GroupVersionResource } from "./request.ts";

/** One rule of `resourceRules` or `excludeResourceRules`, as in ValidatingAdmissionPolicy. */
export interface ResourceRuleLike {
  readonly apiGroups: readonly string[];
  readonly apiVersions: readonly string[];
  readonly operations: readonly string[];
  readonly resources: readonly string[];
  readonly scope?: string | undefined;
  readonly resourceNames?: readonly string[] | undefined;
}

/** What of a request decides whether a rule covers it. */
export interface RequestTarget {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly operation: string;
  readonly namespace: string;
  readonly name: string;
}

/** The request as one about this form of the resource. */
export function targetOf(request: AdmissionRequestLike, form: GroupVersionResource): RequestTarget {
  return {
    group: form.group,
    version: form.version,
    resource: form.resource,
    subresource: request.subResource ?? "",
    operation: request.operation,
    namespace: request.namespace ?? "",
    name: request.name ?? "",
  };
}

/** Whether a rule covers a request, by the API server's own rules for wildcards, subresources and scope. */
export function ruleCovers(rule: ResourceRuleLike, target: RequestTarget): boolean {
  return (
    coversResource(rule, target.group, target.resource, target.subresource) &&
    coversOperation(rule, target.operation) &&
    listed(rule.apiVersions, target.version) &&
    inScope(rule.scope, target) &&
    hasName(rule.resourceNames, target.name)
  );
}

/** `*` covers every resource but no subresource, `pods/*` Pods and their subresources, a star on both sides everything. */
export function coversResource(
  rule: ResourceRuleLike,
  group: string,
  resource: string,
  subresource: string,
): boolean {
  if (!listed(rule.apiGroups, group)) return false;
  return rule.resources.some((pattern) => {
    const slash = pattern.indexOf("/");
    const base = slash < 0 ? pattern : pattern.slice(0, slash);
    const sub = slash < 0 ? "" : pattern.slice(slash + 1);
    return (base === "*" || base === resource) && (sub === "*" || sub === subresource);
  });
}

export function coversOperation(rule: ResourceRuleLike, operation: string): boolean {
  return listed(rule.operations, operation);
}

function listed(patterns: readonly string[], value: string): boolean {
  return patterns.includes("*") || patterns.includes(value);
}

/** A Namespace is cluster-scoped although a request about it carries a namespace. */
function inScope(scope: string | undefined, { group, namespace, resource }: RequestTarget): boolean {
  if (scope === undefined || scope === "*") return true;
  const isNamespaced = namespace !== "" && !(group === "" && resource === "namespaces");
  return scope === "Namespaced" ? isNamespaced : !isNamespaced;
}

function hasName(names: readonly string[] | undefined, name: string): boolean {
  return names === undefined || names.length === 0 || (name !== "" && names.includes(name));
}

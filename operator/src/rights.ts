import type { Client } from "@shieldx/controller-runtime";
import type { RbacNeeds, RbacRule } from "./rbac.ts";

/** A rule as a SelfSubjectRulesReview lists it. */
export interface GrantedRule {
  readonly apiGroups?: readonly string[] | null;
  readonly resources?: readonly string[] | null;
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[] | null;
}

/** Needed rights that no granted rule covers, as people write them: `patch shieldpolicies.shieldx.io/status`. */
export function missingRights(needed: readonly RbacRule[], granted: readonly GrantedRule[]): string[] {
  const missing: string[] = [];
  for (const { apiGroups, resources, verbs, resourceNames } of needed) {
    for (const group of apiGroups) {
      for (const resource of resources) {
        const lacking = verbs.filter((verb) =>
          (resourceNames ?? [undefined]).some(
            (name) => !granted.some((rule) => covers(rule, group, resource, verb, name)),
          ),
        );
        if (lacking.length > 0) missing.push(`${lacking.join(",")} ${display(group, resource)}`);
      }
    }
  }
  return missing;
}

function covers(
  rule: GrantedRule,
  group: string,
  resource: string,
  verb: string,
  name: string | undefined,
): boolean {
  const names = rule.resourceNames ?? [];
  const [, sub] = resource.split("/");
  return (
    has(rule.verbs, verb) &&
    has(rule.apiGroups ?? [], group) &&
    (has(rule.resources ?? [], resource) ||
      (sub !== undefined && (rule.resources ?? []).includes(`*/${sub}`))) &&
    (names.length === 0 || (name !== undefined && names.includes(name)))
  );
}

function has(list: readonly string[], value: string): boolean {
  return list.includes("*") || list.includes(value);
}

function display(group: string, resource: string): string {
  const [base, sub] = resource.split("/");
  return `${base}${group === "" ? "" : `.${group}`}${sub === undefined ? "" : `/${sub}`}`;
}

/**
 * Asks the API server what this identity may do, in one request.
 * @throws ApiError, TransportError
 */
export async function findMissingRights(
  client: Client,
  needs: RbacNeeds,
  namespace: string,
): Promise<string[]> {
  const response = await client.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {
    body: {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectRulesReview",
      spec: { namespace },
    },
  });
  const review = JSON.parse(response.body) as {
    status?: { resourceRules?: GrantedRule[]; incomplete?: boolean };
  };
  // An authorizer that cannot list its rules (a webhook) leaves the list incomplete: then nothing is known to be missing.
  if (review.status?.incomplete === true) return [];
  return missingRights([...needs.cluster, ...needs.namespace], review.status?.resourceRules ?? []);
}

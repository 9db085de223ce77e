import type { Client } from "../transport/index.ts";

/** A rule of a Role or ClusterRole that a process needs. */
export interface NeededRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** What a process needs everywhere, and what in its own namespace only. */
export interface NeededRights {
  readonly cluster: readonly NeededRule[];
  readonly namespace: readonly NeededRule[];
}

/** A rule as a SelfSubjectRulesReview lists it. */
export interface GrantedRule {
  readonly apiGroups?: readonly string[] | null;
  readonly resources?: readonly string[] | null;
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[] | null;
}

/** Needed rights that no granted rule covers, as people write them: `patch shieldpolicies.shieldx.io/status`. */
export function missingRights(needed: readonly NeededRule[], granted: readonly GrantedRule[]): string[] {
  return told(lacking(needed, granted));
}

/**
 * Asks the API server which of these rights this identity lacks, as `missingRights` tells them: in one request, and one
 * more for each right in doubt where an authorizer cannot list its rules.
 * @throws ApiError, TransportError
 */
export async function findMissingRights(
  client: Client,
  needs: NeededRights,
  namespace: string,
  signal?: AbortSignal,
): Promise<string[]> {
  const options = signal === undefined ? {} : { signal };
  const review = await ask<{ resourceRules?: GrantedRule[]; incomplete?: boolean }>(
    client,
    "SelfSubjectRulesReview",
    { namespace },
    options,
  );
  const granted = review?.resourceRules ?? [];
  const inDoubt = [
    ...lacking(needs.cluster, granted).map((right) => ({ right, scope: {} })),
    ...lacking(needs.namespace, granted).map((right) => ({ right, scope: { namespace } })),
  ];
  if (review?.incomplete !== true) return told(inDoubt.map(({ right }) => right));
  const refused: Right[] = [];
  for (const { right, scope } of inDoubt) {
    const { group, verb, name } = right;
    const [resource, subresource] = right.resource.split("/");
    const answer = await ask<{ allowed?: boolean }>(
      client,
      "SelfSubjectAccessReview",
      { resourceAttributes: { group, resource, subresource, verb, name, ...scope } },
      options,
    );
    if (answer?.allowed !== true) refused.push(right);
  }
  return told(refused);
}

interface Right {
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
  readonly name: string | undefined;
}

function lacking(needed: readonly NeededRule[], granted: readonly GrantedRule[]): Right[] {
  return rightsOf(needed).filter((right) => !granted.some((rule) => covers(rule, right)));
}

function rightsOf(rules: readonly NeededRule[]): Right[] {
  return rules.flatMap(({ apiGroups, resources, verbs, resourceNames }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        (resourceNames ?? [undefined]).flatMap((name) =>
          verbs.map((verb) => ({ group, resource, verb, name })),
        ),
      ),
    ),
  );
}

/** One entry for each resource, with the verbs that are missing. */
function told(rights: readonly Right[]): string[] {
  const verbsOf = new Map<string, Set<string>>();
  for (const { group, resource, verb, name } of rights) {
    const what = `${display(group, resource)}${name === undefined ? "" : ` "${name}"`}`;
    verbsOf.set(what, (verbsOf.get(what) ?? new Set()).add(verb));
  }
  return [...verbsOf].map(([what, verbs]) => `${[...verbs].join(",")} ${what}`);
}

function covers(rule: GrantedRule, { group, resource, verb, name }: Right): boolean {
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

async function ask<Status>(
  client: Client,
  kind: "SelfSubjectRulesReview" | "SelfSubjectAccessReview",
  spec: object,
  options: { signal?: AbortSignal },
): Promise<Status | undefined> {
  const path = `/apis/authorization.k8s.io/v1/${kind.toLowerCase()}s`;
  const body = { apiVersion: "authorization.k8s.io/v1", kind, spec };
  const response = await client.request("POST", path, { body, ...options });
  return (JSON.parse(response.body) as { status?: Status }).status;
}

/**
 * Calls of the webhook for policies of tenants. Each is made only in the namespaces whose policies ask for it, or a tenant's
 * outage would be that of another; entries are few all the same, because namespaces that ask for the same share one, and
 * what they ask for is mostly the same.
 */
import type {
  CallsSoFar,
  Group,
  PublishedConfiguration,
  PublishedEntry,
  WaitingReason,
  WebhookPolicy,
} from "./decide.ts";
import { type Call, callKey, callsFor, callsOf, type LabelSelector, mayBeMade } from "./rules.ts";

const NAMESPACE_NAME = "kubernetes.io/metadata.name";

/** One call in one namespace: the unit that the gate compares. */
export function tenantCallKey(namespace: string, call: Call): string {
  return `${namespace}|${callKey(call)}`;
}

/** What a configuration already calls for tenants. */
export function publishedForTenants(configuration: PublishedConfiguration | undefined): Set<string> {
  const calls = new Set<string>();
  for (const { namespaceSelector, rules = [] } of configuration?.webhooks ?? []) {
    const namespaces = namespacesOf(namespaceSelector);
    if (namespaces.length === 0) continue;
    for (const call of callsOf(rules))
      for (const namespace of namespaces) calls.add(tenantCallKey(namespace, call));
  }
  return calls;
}

export function isForTenants({ namespaceSelector }: PublishedEntry): boolean {
  return namespacesOf(namespaceSelector).length > 0;
}

/** Namespaces of an entry that is for tenants; none for any other. */
function namespacesOf(selector: LabelSelector | undefined): readonly string[] {
  const { matchLabels, matchExpressions = [] } = selector ?? {};
  const [only, ...others] = matchExpressions;
  if (matchLabels !== undefined || only === undefined || others.length > 0) return [];
  return only.key === NAMESPACE_NAME && only.operator === "In" ? (only.values ?? []) : [];
}

interface Wanted {
  readonly call: Call;
  readonly namespaces: Set<string>;
}

/** What is called already. */
export interface TenantCallsSoFar extends CallsSoFar {
  readonly publishedForTenants: ReadonlySet<string>;
  /** Of the entry that is called for all objects, which a tenant's calls may be part of. */
  readonly everythingKey: string;
}

/** The calls that tenants' policies need, one group for all that the same namespaces need. */
export function tenantGroups(
  leftAlone: readonly string[],
  { published, publishedForTenants: forTenants, everythingKey, held }: TenantCallsSoFar,
  policies: readonly WebhookPolicy[],
  waiting: Map<string, WaitingReason>,
): Group[] {
  const wanted = new Map<string, Wanted>();
  const want = (namespace: string, call: Call): void => {
    if (leftAlone.includes(namespace)) return;
    const key = `${call.form} ${callKey(call)}`;
    const known = wanted.get(key);
    if (known === undefined) wanted.set(key, { call, namespaces: new Set([namespace]) });
    else known.namespaces.add(namespace);
  };
  for (const { namespaceSelector, rules = [] } of held) {
    const namespaces = namespacesOf(namespaceSelector);
    for (const call of namespaces.length === 0 ? [] : callsOf(rules).filter(mayBeMade))
      for (const namespace of namespaces) want(namespace, call);
  }
  for (const policy of policies) {
    const { tenant } = policy;
    if (tenant === undefined) continue;
    for (const call of callsFor(policy)) {
      const isPublished =
        forTenants.has(tenantCallKey(tenant, call)) || published.has(`${everythingKey}|${callKey(call)}`);
      if (policy.isLoaded || isPublished) want(tenant, call);
      else waiting.set(policy.name, "WaitingForReplica");
    }
  }
  return grouped(wanted.values());
}

function grouped(wanted: Iterable<Wanted>): Group[] {
  const groups = new Map<string, Group>();
  for (const { call, namespaces } of wanted) {
    const values = [...namespaces].sort();
    const key = values.join();
    const known = groups.get(`${call.form} ${key}`);
    if (known !== undefined) {
      known.calls.set(callKey(call), call);
      continue;
    }
    groups.set(`${call.form} ${key}`, {
      key,
      form: call.form,
      namespaceSelector: { matchExpressions: [{ key: NAMESPACE_NAME, operator: "In", values }] },
      objectSelector: {},
      calls: new Map([[callKey(call), call]]),
      selectsEverything: false,
      isForTenants: true,
    });
  }
  return [...groups.values()];
}

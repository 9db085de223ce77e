import {
  FAIL_CONFIGURATION,
  IGNORE_CONFIGURATION,
  LABEL,
  PROBE_WEBHOOK,
  WEBHOOK_PATH,
  WEBHOOK_SERVICE,
} from "@shieldx/crds";
import {
  neverJudgedNamespaces,
  notByClusterComponent,
  notFinalizing,
  notNamespaceCleanup,
} from "@shieldx/policy-engine";
import { ownLabels } from "../../names.ts";
import {
  type Call,
  callKey,
  callsFor,
  callsOf,
  excludeNamespaces,
  excludes,
  type LabelSelector,
  mayBeMade,
  PROBE_RULE,
  type RequestedRule,
  type Rule,
  rulesOf,
  selectorKey,
  shortHash,
} from "./rules.ts";
import { publishedForTenants, tenantCallKey, tenantGroups } from "./tenants.ts";

export type FailurePolicy = "Fail" | "Ignore";

/** A policy that the webhook enforces, reduced to what its configuration needs. */
export interface WebhookPolicy {
  readonly name: string;
  /** Of a tenant's policy, its namespace: the webhook is called for it there and nowhere else. */
  readonly tenant?: string | undefined;
  /** Which calls its rules come to. */
  readonly engine: "podSecurity" | "cel" | "rego" | "images";
  readonly failurePolicy: FailurePolicy;
  readonly resourceRules: readonly RequestedRule[] | undefined;
  readonly namespaceSelector: LabelSelector | undefined;
  readonly objectSelector: LabelSelector | undefined;
  /** Namespaces this policy exempts: also refused by the API server itself, so an outage does not reach them. */
  readonly exemptNamespaces: readonly string[];
  /** At least one live replica has this state of the policy in its set. */
  readonly isLoaded: boolean;
}

/** Where the API server reaches the webhook: the Service in a cluster, URLs when the process runs on a host. */
export type WebhookAddress =
  | { readonly kind: "service"; readonly namespace: string }
  | { readonly kind: "url"; readonly admit: string; readonly probe: string };

export interface ClientConfig {
  readonly caBundle: string;
  readonly url?: string;
  readonly service?: { namespace: string; name: string; path: string; port: number };
}

export interface WebhookEntry {
  readonly name: string;
  readonly clientConfig: ClientConfig;
  readonly rules: readonly Rule[];
  readonly failurePolicy: FailurePolicy;
  readonly matchPolicy: "Equivalent";
  readonly namespaceSelector: LabelSelector;
  readonly objectSelector: LabelSelector;
  readonly sideEffects: "None";
  readonly timeoutSeconds: number;
  readonly admissionReviewVersions: readonly string[];
  readonly matchConditions?: readonly { readonly name: string; readonly expression: string }[];
}

export interface WebhookConfiguration {
  readonly apiVersion: "admissionregistration.k8s.io/v1";
  readonly kind: "ValidatingWebhookConfiguration";
  readonly metadata: { readonly name: string; readonly labels: Record<string, string> };
  readonly webhooks: readonly WebhookEntry[];
}

/** Calls that a configuration on the server (or the last one we wrote) already makes: `selector key|call key`. */
export type PublishedCalls = ReadonlySet<string>;

export interface WebhookObservation {
  readonly namespace: string;
  readonly ownNamespaces: readonly string[];
  readonly address: WebhookAddress;
  /** PEM; undefined until the certificates controller has a bundle. */
  readonly caBundlePem: string | undefined;
  readonly policies: readonly WebhookPolicy[];
  readonly published: { readonly Fail: PublishedCalls; readonly Ignore: PublishedCalls };
  /** What is called for tenants, in the unit of `publishedForTenants`. */
  readonly publishedForTenants: { readonly Fail: PublishedCalls; readonly Ignore: PublishedCalls };
  /** Entries on the server that stay whatever the policies say: one that we cannot read may need them. */
  readonly held: Readonly<Record<FailurePolicy, readonly PublishedEntry[]>>;
}

export interface WebhookDecision {
  /** The configuration to hold, or undefined where none may exist. */
  readonly fail: WebhookConfiguration | undefined;
  readonly ignore: WebhookConfiguration | undefined;
  /** Policies whose calls are not (all) published yet, with the reason a person reads in the policy's status. */
  readonly waiting: ReadonlyMap<string, WaitingReason>;
}

export type WaitingReason = "WaitingForCertificate" | "WaitingForReplica";

/** Namespaces that must work whatever state ShieldX is in. */
function leftAlone(ownNamespaces: readonly string[]): string[] {
  return [...neverJudgedNamespaces, ...ownNamespaces];
}

export const TIMEOUT_SECONDS: Readonly<Record<FailurePolicy, number>> = { Fail: 5, Ignore: 3 };

/** What ends a deletion passes without a call: a finalizer can go, and a Pod, even while no replica answers. */
const NOT_BEING_DELETED = {
  name: "not-being-deleted",
  expression: notFinalizing,
} as const;

/**
 * The two policy configurations.
 *
 * New calls are published only for policies that a live replica holds (else Fail would refuse everything at once);
 * calls already published are never taken back because replicas are missing (or an outage would open the door), nor while
 * a policy cannot be read of which replicas may hold an older version.
 */
export function decideWebhookConfigurations(observed: WebhookObservation): WebhookDecision {
  const waiting = new Map<string, WaitingReason>();
  const configurations = { Fail: undefined, Ignore: undefined } as Record<
    FailurePolicy,
    WebhookConfiguration | undefined
  >;
  for (const failurePolicy of ["Fail", "Ignore"] as const) {
    const policies = observed.policies
      .filter((policy) => policy.failurePolicy === failurePolicy)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    if (observed.caBundlePem === undefined) {
      for (const policy of policies) waiting.set(policy.name, "WaitingForCertificate");
      continue;
    }
    const calls = { published: observed.published[failurePolicy], held: observed.held[failurePolicy] };
    const ofCluster = policies.filter(({ tenant }) => tenant === undefined);
    const groups = withoutCoveredCalls([
      ...groupBySelector(observed.ownNamespaces, calls, ofCluster, waiting),
      ...tenantGroups(
        leftAlone(observed.ownNamespaces),
        {
          ...calls,
          everythingKey: everythingKeyOf(observed.ownNamespaces),
          publishedForTenants: observed.publishedForTenants[failurePolicy],
        },
        policies,
        waiting,
      ),
    ]);
    if (groups.length === 0) continue;
    configurations[failurePolicy] = configurationOf(observed, failurePolicy, observed.caBundlePem, groups);
  }
  return { fail: configurations.Fail, ignore: configurations.Ignore, waiting };
}

/** What one class of entries calls already, and must go on to. */
export interface CallsSoFar {
  readonly published: PublishedCalls;
  readonly held: readonly PublishedEntry[];
}

export interface Group {
  readonly key: string;
  readonly form: string;
  readonly namespaceSelector: LabelSelector;
  readonly objectSelector: LabelSelector;
  readonly calls: Map<string, Call>;
  readonly selectsEverything: boolean;
  /** For policies of tenants: what the cluster's components change or delete passes without a call. */
  readonly isForTenants?: boolean;
}

function everythingKeyOf(ownNamespaces: readonly string[]): string {
  return selectorKey(excludeNamespaces(undefined, leftAlone(ownNamespaces)), {});
}

export function groupBySelector(
  ownNamespaces: readonly string[],
  { published, held }: CallsSoFar,
  policies: readonly WebhookPolicy[],
  waiting: Map<string, WaitingReason>,
): Group[] {
  const groups = new Map<string, Group>();
  const everythingKey = everythingKeyOf(ownNamespaces);
  const join = (namespaceSelector: LabelSelector, objectSelector: LabelSelector, call: Call): void => {
    const key = selectorKey(namespaceSelector, objectSelector);
    const selectsEverything = key === everythingKey;
    const calls = new Map<string, Call>();
    const { form } = call;
    const group = groups.get(`${form} ${key}`) ?? {
      ...{ key, form, namespaceSelector, objectSelector, calls, selectsEverything },
    };
    group.calls.set(callKey(call), call);
    groups.set(`${form} ${key}`, group);
  };
  for (const { namespaceSelector = {}, objectSelector = {}, rules = [] } of held) {
    // What somebody else put there is not held: the webhook is never called for everything, nor for these namespaces.
    if (!excludes(namespaceSelector, leftAlone(ownNamespaces))) continue;
    for (const call of callsOf(rules)) {
      if (mayBeMade(call)) join(namespaceSelector, objectSelector, call);
    }
  }
  for (const policy of policies) {
    const excluded = [...leftAlone(ownNamespaces), ...policy.exemptNamespaces];
    const namespaceSelector = excludeNamespaces(policy.namespaceSelector, excluded);
    const objectSelector = excludeNamespaces(policy.objectSelector, []);
    const key = selectorKey(namespaceSelector, objectSelector);
    for (const call of callsFor(policy)) {
      const isPublished = [key, everythingKey].some((selector) =>
        published.has(`${selector}|${callKey(call)}`),
      );
      if (!policy.isLoaded && !isPublished) {
        waiting.set(policy.name, "WaitingForReplica");
        continue;
      }
      join(namespaceSelector, objectSelector, call);
    }
  }
  return withoutCoveredCalls([...groups.values()]);
}

/** The webhook judges every policy on each call: a call made for all objects need not be made again for some. */
function withoutCoveredCalls(groups: readonly Group[]): Group[] {
  const everything = new Map(
    groups.filter((group) => group.selectsEverything).map((group) => [group.form, group]),
  );
  return groups
    .map((group) => {
      const covering = everything.get(group.form);
      if (covering === undefined || covering === group) return group;
      return { ...group, calls: new Map([...group.calls].filter(([key]) => !covering.calls.has(key))) };
    })
    .filter((group) => group.calls.size > 0);
}

function configurationOf(
  observed: WebhookObservation,
  failurePolicy: FailurePolicy,
  caBundlePem: string,
  groups: readonly Group[],
): WebhookConfiguration {
  const name = failurePolicy === "Fail" ? FAIL_CONFIGURATION : IGNORE_CONFIGURATION;
  const path = failurePolicy === "Fail" ? WEBHOOK_PATH.fail : WEBHOOK_PATH.ignore;
  const caBundle = Buffer.from(caBundlePem, "utf8").toString("base64");
  const entries = groups.flatMap((group) =>
    splitByOperation(group).map(({ prefix, calls, matchConditions }) => ({
      name: `${prefix}${selectorPart(group)}${formPart(group)}policies.shieldx.io`,
      clientConfig: clientConfigOf(observed.address, "admit", path, caBundle),
      rules: rulesOf(calls),
      failurePolicy,
      matchPolicy: "Equivalent" as const,
      namespaceSelector: group.namespaceSelector,
      objectSelector: group.objectSelector,
      sideEffects: "None" as const,
      timeoutSeconds: TIMEOUT_SECONDS[failurePolicy],
      admissionReviewVersions: ["v1"],
      ...(matchConditions === undefined ? {} : { matchConditions }),
    })),
  );
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name, labels: ownLabels() },
    webhooks: [...entries, probeEntry(observed, name, caBundle)],
  };
}

export function selectorPart({ selectsEverything, isForTenants, key }: Group): string {
  if (isForTenants === true) return `tenants-${shortHash(key)}.`;
  return selectsEverything ? "" : `selector-${shortHash(key)}.`;
}

export function formPart({ form }: Group): string {
  return form === "v1" ? "" : `versions-${shortHash(form)}.`;
}

/** Whoever empties a namespace that is being deleted passes without a call, so that it can go, too. */
const NOT_NAMESPACE_CLEANUP = { name: "not-namespace-cleanup", expression: notNamespaceCleanup } as const;

/** Nodes and controllers must not wait for a tenant. */
const NOT_BY_CLUSTER_COMPONENT = {
  name: "not-by-cluster-component",
  expression: notByClusterComponent,
} as const;

/**
 * Creates, updates and deletions in entries of their own: a match condition makes the API server turn every object
 * into CEL values, and nothing being created is being deleted.
 */
function splitByOperation(group: Group): {
  readonly prefix: string;
  readonly calls: readonly Call[];
  readonly matchConditions?: readonly { readonly name: string; readonly expression: string }[];
}[] {
  const calls = [...group.calls.values()];
  const having = (...operations: string[]): Call[] =>
    calls.filter(({ operation }) => operations.includes(operation));
  const ofTenants = group.isForTenants === true ? [NOT_BY_CLUSTER_COMPONENT] : [];
  return [
    { prefix: "", calls: having("CREATE", "CONNECT") },
    { prefix: "updates.", calls: having("UPDATE"), matchConditions: [NOT_BEING_DELETED, ...ofTenants] },
    {
      prefix: "deletions.",
      calls: having("DELETE"),
      matchConditions: [NOT_BEING_DELETED, NOT_NAMESPACE_CLEANUP, ...ofTenants],
    },
  ].filter((entry) => entry.calls.length > 0);
}

/**
 * The entry through which the certificates controller learns whether one API server trusts the published bundle.
 * It matches only a ConfigMap that carries our label, created in our own namespace.
 */
export function probeEntry(
  observed: Pick<WebhookObservation, "address" | "namespace">,
  configuration: string,
  caBundle: string,
): WebhookEntry {
  return {
    name: PROBE_WEBHOOK,
    clientConfig: clientConfigOf(observed.address, "probe", WEBHOOK_PATH.probe, caBundle),
    rules: [PROBE_RULE],
    failurePolicy: "Fail",
    matchPolicy: "Equivalent",
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": observed.namespace } },
    objectSelector: { matchLabels: { [LABEL.handshakeProbe]: configuration } },
    sideEffects: "None",
    timeoutSeconds: 3,
    admissionReviewVersions: ["v1"],
  };
}

/** How an API server reaches one of the two ports. */
export function clientConfigOf(
  address: WebhookAddress,
  port: "admit" | "probe",
  path: string,
  caBundle: string,
): ClientConfig {
  if (address.kind === "url") {
    const base = (port === "admit" ? address.admit : address.probe).replace(/\/+$/, "");
    return { caBundle, url: `${base}${path}` };
  }
  return {
    caBundle,
    service: {
      namespace: address.namespace,
      name: WEBHOOK_SERVICE,
      path,
      port: port === "admit" ? 443 : 9444,
    },
  };
}

/** Whether a configuration makes every call this policy needs. */
export function isPublished(
  policy: WebhookPolicy,
  configuration: PublishedConfiguration | undefined,
  ownNamespaces: readonly string[],
): boolean {
  const published = publishedCalls(configuration);
  const excluded = leftAlone(ownNamespaces);
  const { tenant } = policy;
  if (tenant !== undefined) {
    const everything = everythingKeyOf(ownNamespaces);
    const forTenants = publishedForTenants(configuration);
    return callsFor(policy).every(
      (call) =>
        published.has(`${everything}|${callKey(call)}`) || forTenants.has(tenantCallKey(tenant, call)),
    );
  }
  const keys = [
    selectorKey(excludeNamespaces(undefined, excluded), {}),
    selectorKey(
      excludeNamespaces(policy.namespaceSelector, [...excluded, ...policy.exemptNamespaces]),
      excludeNamespaces(policy.objectSelector, []),
    ),
  ];
  return callsFor(policy).every((call) => keys.some((key) => published.has(`${key}|${callKey(call)}`)));
}

/** What a configuration already calls, in the unit the gate compares. */
export function publishedCalls(configuration: PublishedConfiguration | undefined): Set<string> {
  const calls = new Set<string>();
  for (const entry of configuration?.webhooks ?? []) {
    if (entry.name === PROBE_WEBHOOK) continue;
    const key = selectorKey(entry.namespaceSelector ?? {}, entry.objectSelector ?? {});
    for (const call of callsOf(entry.rules ?? [])) calls.add(`${key}|${callKey(call)}`);
  }
  return calls;
}

export interface PublishedConfiguration {
  readonly webhooks?: readonly PublishedEntry[];
}

export interface PublishedEntry {
  readonly name: string;
  readonly namespaceSelector?: LabelSelector;
  readonly objectSelector?: LabelSelector;
  readonly rules?: readonly Rule[];
}

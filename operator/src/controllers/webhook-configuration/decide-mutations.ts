/**
 * `shieldx-mutations`: when the API server calls the webhook to have objects changed. One configuration for both failure
 * policies, for entries are called in the order in which they stand there.
 */
import { MUTATIONS_CONFIGURATION, WEBHOOK_PATH, type WebhookCalls } from "@shieldx/crds";
import { ownLabels } from "../../names.ts";
import {
  type CallsSoFar,
  clientConfigOf,
  type FailurePolicy,
  formPart,
  type Group,
  groupBySelector,
  isPublished,
  type PublishedConfiguration,
  type PublishedEntry,
  probeEntry,
  publishedCalls,
  selectorPart,
  TIMEOUT_SECONDS,
  type WaitingReason,
  type WebhookAddress,
  type WebhookEntry,
  type WebhookPolicy,
} from "./decide.ts";
import { webhookPolicyOf } from "./observe.ts";
import { rulesOf } from "./rules.ts";

type ReinvocationPolicy = "Never" | "IfNeeded";

/** Entries that are called for the same policies. */
interface EntryClass {
  readonly failurePolicy: FailurePolicy;
  readonly reinvocationPolicy: ReinvocationPolicy;
}

/** In the order in which the API server calls them. */
const classes: readonly (EntryClass & { readonly path: string; readonly name: string })[] = [
  { failurePolicy: "Fail", reinvocationPolicy: "IfNeeded", path: WEBHOOK_PATH.mutateFail, name: "fail" },
  {
    failurePolicy: "Fail",
    reinvocationPolicy: "Never",
    path: WEBHOOK_PATH.mutateFailOnce,
    name: "once.fail",
  },
  {
    failurePolicy: "Ignore",
    reinvocationPolicy: "IfNeeded",
    path: WEBHOOK_PATH.mutateIgnore,
    name: "ignore",
  },
  {
    failurePolicy: "Ignore",
    reinvocationPolicy: "Never",
    path: WEBHOOK_PATH.mutateIgnoreOnce,
    name: "once.ignore",
  },
];

export type MutatingPolicy = WebhookPolicy & EntryClass;

type MutatingEntry = WebhookEntry & { readonly reinvocationPolicy: ReinvocationPolicy };

export interface MutatingConfiguration {
  readonly apiVersion: "admissionregistration.k8s.io/v1";
  readonly kind: "MutatingWebhookConfiguration";
  readonly metadata: { readonly name: string; readonly labels: Record<string, string> };
  readonly webhooks: readonly MutatingEntry[];
}

interface PublishedMutatingEntry extends PublishedEntry {
  readonly failurePolicy?: FailurePolicy;
  readonly reinvocationPolicy?: ReinvocationPolicy;
}

/** As on the server, or as written last. */
export interface PublishedMutations {
  readonly webhooks?: readonly PublishedMutatingEntry[];
}

export interface MutationsObservation {
  readonly namespace: string;
  readonly ownNamespaces: readonly string[];
  readonly address: WebhookAddress;
  readonly caBundlePem: string;
  readonly policies: readonly MutatingPolicy[];
  /** What is on the server, and what we wrote last. */
  readonly published: readonly (PublishedMutations | undefined)[];
  /** Entries that stay whatever the policies say. */
  readonly held: PublishedMutations | undefined;
}

export interface MutationsDecision {
  /** The configuration to hold, or undefined where none may exist. */
  readonly configuration: MutatingConfiguration | undefined;
  readonly waiting: ReadonlyMap<string, WaitingReason>;
}

/** The calls a policy needs to change objects; undefined where it changes none. */
export function mutatingPolicyOf(
  name: string,
  calls: WebhookCalls,
  isLoaded: boolean,
): MutatingPolicy | undefined {
  if (calls.mutations === undefined) return undefined;
  const policy = webhookPolicyOf(name, calls, isLoaded);
  const resourceRules = (policy.resourceRules ?? []).map((rule) => ({
    ...rule,
    operations: changing.filter((operation) =>
      (rule.operations ?? changing).some((wanted) => wanted === operation || wanted === "*"),
    ),
  }));
  return { ...policy, resourceRules, reinvocationPolicy: calls.mutations.reinvocationPolicy };
}

/** Nothing else has an object that could be changed. */
const changing: readonly string[] = ["CREATE", "UPDATE"];

/** As `decideWebhookConfigurations`, which says when calls are published and when they are taken back. */
export function decideMutations(observed: MutationsObservation): MutationsDecision {
  const waiting = new Map<string, WaitingReason>();
  const caBundle = Buffer.from(observed.caBundlePem, "utf8").toString("base64");
  const entries = classes.flatMap((each) => {
    const isOfClass = (other: EntryClass) => isSameClass(each, other);
    const policies = observed.policies.filter(isOfClass).sort((a, b) => (a.name < b.name ? -1 : 1));
    const groups = groupBySelector(observed.ownNamespaces, callsSoFar(observed, each), policies, waiting);
    const ofClass = groups.flatMap((group) =>
      splitByOperation(group).map(({ prefix, calls, matchConditions }): MutatingEntry => {
        return {
          name: `${prefix}${selectorPart(group)}${formPart(group)}${each.name}.mutations.shieldx.io`,
          clientConfig: clientConfigOf(observed.address, "admit", each.path, caBundle),
          rules: rulesOf(calls),
          failurePolicy: each.failurePolicy,
          matchPolicy: "Equivalent",
          namespaceSelector: group.namespaceSelector,
          objectSelector: group.objectSelector,
          sideEffects: "None",
          timeoutSeconds: TIMEOUT_SECONDS[each.failurePolicy],
          admissionReviewVersions: ["v1"],
          reinvocationPolicy: each.reinvocationPolicy,
          ...(matchConditions === undefined ? {} : { matchConditions }),
        };
      }),
    );
    return ofClass.sort((a, b) => (a.name < b.name ? -1 : 1));
  });
  if (entries.length === 0) return { configuration: undefined, waiting };
  const probe: MutatingEntry = {
    ...probeEntry(observed, MUTATIONS_CONFIGURATION, caBundle),
    reinvocationPolicy: "Never",
  };
  return {
    configuration: {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "MutatingWebhookConfiguration",
      metadata: { name: MUTATIONS_CONFIGURATION, labels: ownLabels() },
      webhooks: [...entries, probe],
    },
    waiting,
  };
}

/** Whether the configuration makes every call by which this policy changes objects. */
export function areMutationsPublished(
  policy: MutatingPolicy,
  configuration: PublishedMutations | undefined,
  ownNamespaces: readonly string[],
): boolean {
  return isPublished(policy, ofClass(policy, configuration), ownNamespaces);
}

function callsSoFar({ published, held }: MutationsObservation, each: EntryClass): CallsSoFar {
  const calls = published.flatMap((configuration) => [...publishedCalls(ofClass(each, configuration))]);
  return { published: new Set(calls), held: ofClass(each, held).webhooks ?? [] };
}

function ofClass(each: EntryClass, configuration: PublishedMutations | undefined): PublishedConfiguration {
  const entries = configuration?.webhooks ?? [];
  return {
    webhooks: entries.filter(({ failurePolicy = "Fail", reinvocationPolicy = "Never" }) =>
      isSameClass(each, { failurePolicy, reinvocationPolicy }),
    ),
  };
}

function isSameClass(a: EntryClass, b: EntryClass): boolean {
  return a.failurePolicy === b.failurePolicy && a.reinvocationPolicy === b.reinvocationPolicy;
}

/** An object that is being deleted is left alone: whoever takes its finalizers away must not have to wait for us. */
const NOT_BEING_DELETED = {
  name: "not-being-deleted",
  expression: "oldObject == null || !has(oldObject.metadata.deletionTimestamp)",
} as const;

/** In entries of their own, for a match condition makes the API server turn every object into CEL values. */
function splitByOperation(group: Group) {
  const calls = [...group.calls.values()];
  return [
    {
      prefix: "",
      calls: calls.filter(({ operation }) => operation === "CREATE"),
      matchConditions: undefined,
    },
    {
      prefix: "updates.",
      calls: calls.filter(({ operation }) => operation === "UPDATE"),
      matchConditions: [NOT_BEING_DELETED],
    },
  ].filter((entry) => entry.calls.length > 0);
}

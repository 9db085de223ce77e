import type { Condition, KubeObject, ObjectReference } from "./objects.ts";
import { resourceType } from "./resource-type.ts";

/**
 * The built-in kinds that operators commonly touch. Each type lists the fields controllers read and leaves the
 * rest to `unknown`; for a whole schema use your own type with {@link resourceType}.
 */

export interface Lease extends KubeObject {
  spec?: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    acquireTime?: string;
    renewTime?: string;
    leaseTransitions?: number;
  };
}

export interface Secret extends KubeObject {
  type?: string;
  immutable?: boolean;
  /** Values are base64. */
  data?: Record<string, string>;
  /** Write-only clear text, merged into `data` by the API server. */
  stringData?: Record<string, string>;
}

export interface ConfigMap extends KubeObject {
  immutable?: boolean;
  data?: Record<string, string>;
  binaryData?: Record<string, string>;
}

export interface Namespace extends KubeObject {
  spec?: { finalizers?: string[] };
  status?: { phase?: "Active" | "Terminating"; conditions?: Condition[] };
}

/** `events.k8s.io/v1`. */
export interface Event extends KubeObject {
  eventTime: string | null;
  series?: { count: number; lastObservedTime: string };
  reportingController?: string;
  reportingInstance?: string;
  action?: string;
  reason?: string;
  regarding?: ObjectReference;
  related?: ObjectReference;
  note?: string;
  type?: "Normal" | "Warning";
}

export interface EndpointSlice extends KubeObject {
  addressType: "IPv4" | "IPv6" | "FQDN";
  endpoints?: {
    addresses: string[];
    conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean };
    targetRef?: ObjectReference;
    nodeName?: string;
  }[];
  ports?: { name?: string; port?: number; protocol?: string }[];
}

export interface WebhookClientConfig {
  url?: string;
  service?: { namespace: string; name: string; path?: string; port?: number };
  /** Base64 of a PEM bundle. */
  caBundle?: string;
}

export interface RuleWithOperations {
  apiGroups?: string[];
  apiVersions?: string[];
  resources?: string[];
  operations?: string[];
  scope?: "*" | "Cluster" | "Namespaced";
}

export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: {
    key: string;
    operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
    values?: string[];
  }[];
}

export interface ValidatingWebhook {
  name: string;
  clientConfig: WebhookClientConfig;
  rules?: RuleWithOperations[];
  failurePolicy?: "Fail" | "Ignore";
  matchPolicy?: "Exact" | "Equivalent";
  namespaceSelector?: LabelSelector;
  objectSelector?: LabelSelector;
  sideEffects: "None" | "NoneOnDryRun";
  timeoutSeconds?: number;
  admissionReviewVersions: string[];
  matchConditions?: { name: string; expression: string }[];
}

export interface ValidatingWebhookConfiguration extends KubeObject {
  webhooks?: ValidatingWebhook[];
}

export interface MutatingWebhookConfiguration extends KubeObject {
  webhooks?: (ValidatingWebhook & { reinvocationPolicy?: "Never" | "IfNeeded" })[];
}

export interface ValidatingAdmissionPolicy extends KubeObject {
  spec: Record<string, unknown>;
  status?: {
    observedGeneration?: number;
    typeChecking?: { expressionWarnings?: { fieldRef: string; warning: string }[] };
    conditions?: Condition[];
  };
}

export interface ValidatingAdmissionPolicyBinding extends KubeObject {
  spec: Record<string, unknown>;
}

/** Kubernetes 1.36 and later (KEP-3962). */
export interface MutatingAdmissionPolicy extends KubeObject {
  spec: Record<string, unknown>;
}

export interface MutatingAdmissionPolicyBinding extends KubeObject {
  spec: Record<string, unknown>;
}

export interface CustomResourceDefinition extends KubeObject {
  spec: {
    group: string;
    scope: "Cluster" | "Namespaced";
    names: { plural: string; kind: string; singular?: string; listKind?: string; shortNames?: string[] };
    versions: { name: string; served: boolean; storage: boolean; [field: string]: unknown }[];
    [field: string]: unknown;
  };
  status?: { conditions?: Condition[]; storedVersions?: string[]; [field: string]: unknown };
}

/** A Pod's spec as far as the runtime needs to know it: everything else is `unknown`. */
export interface Pod extends KubeObject {
  spec?: { nodeName?: string; serviceAccountName?: string; [field: string]: unknown };
  status?: { phase?: string; podIP?: string; [field: string]: unknown };
}

/** A workload that carries a Pod template. */
export interface Workload extends KubeObject {
  spec?: { replicas?: number; selector?: unknown; template?: unknown; [field: string]: unknown };
  status?: Record<string, unknown>;
}

export interface TokenReview extends KubeObject {
  spec: { token?: string; audiences?: string[] };
  status?: {
    authenticated?: boolean;
    user?: { username?: string; uid?: string; groups?: string[]; extra?: Record<string, string[]> };
    audiences?: string[];
    error?: string;
  };
}

export interface SubjectAccessReview extends KubeObject {
  spec: {
    user?: string;
    uid?: string;
    groups?: string[];
    extra?: Record<string, string[]>;
    resourceAttributes?: Record<string, unknown>;
    nonResourceAttributes?: { path?: string; verb?: string };
  };
  status?: { allowed: boolean; denied?: boolean; reason?: string; evaluationError?: string };
}

const kind = <T extends KubeObject>(
  group: string,
  version: string,
  name: string,
  plural: string,
  namespaced = true,
) => resourceType<T>({ group, version, kind: name, plural, namespaced });

export const Pod = kind<Pod>("", "v1", "Pod", "pods");
export const PodTemplate = kind<KubeObject>("", "v1", "PodTemplate", "podtemplates");
export const ReplicationController = kind<Workload>(
  "",
  "v1",
  "ReplicationController",
  "replicationcontrollers",
);
export const Service = kind<KubeObject>("", "v1", "Service", "services");
export const ServiceAccount = kind<KubeObject>("", "v1", "ServiceAccount", "serviceaccounts");
export const Secret = kind<Secret>("", "v1", "Secret", "secrets");
export const ConfigMap = kind<ConfigMap>("", "v1", "ConfigMap", "configmaps");
export const Namespace = kind<Namespace>("", "v1", "Namespace", "namespaces", false);
export const Node = kind<KubeObject>("", "v1", "Node", "nodes", false);
export const Deployment = kind<Workload>("apps", "v1", "Deployment", "deployments");
export const DaemonSet = kind<Workload>("apps", "v1", "DaemonSet", "daemonsets");
export const StatefulSet = kind<Workload>("apps", "v1", "StatefulSet", "statefulsets");
export const ReplicaSet = kind<Workload>("apps", "v1", "ReplicaSet", "replicasets");
export const Job = kind<Workload>("batch", "v1", "Job", "jobs");
export const CronJob = kind<KubeObject>("batch", "v1", "CronJob", "cronjobs");
export const Lease = kind<Lease>("coordination.k8s.io", "v1", "Lease", "leases");
export const Event = kind<Event>("events.k8s.io", "v1", "Event", "events");
export const EndpointSlice = kind<EndpointSlice>("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices");
export const ValidatingWebhookConfiguration = kind<ValidatingWebhookConfiguration>(
  "admissionregistration.k8s.io",
  "v1",
  "ValidatingWebhookConfiguration",
  "validatingwebhookconfigurations",
  false,
);
export const MutatingWebhookConfiguration = kind<MutatingWebhookConfiguration>(
  "admissionregistration.k8s.io",
  "v1",
  "MutatingWebhookConfiguration",
  "mutatingwebhookconfigurations",
  false,
);
export const ValidatingAdmissionPolicy = kind<ValidatingAdmissionPolicy>(
  "admissionregistration.k8s.io",
  "v1",
  "ValidatingAdmissionPolicy",
  "validatingadmissionpolicies",
  false,
);
export const ValidatingAdmissionPolicyBinding = kind<ValidatingAdmissionPolicyBinding>(
  "admissionregistration.k8s.io",
  "v1",
  "ValidatingAdmissionPolicyBinding",
  "validatingadmissionpolicybindings",
  false,
);
export const MutatingAdmissionPolicy = kind<MutatingAdmissionPolicy>(
  "admissionregistration.k8s.io",
  "v1",
  "MutatingAdmissionPolicy",
  "mutatingadmissionpolicies",
  false,
);
export const MutatingAdmissionPolicyBinding = kind<MutatingAdmissionPolicyBinding>(
  "admissionregistration.k8s.io",
  "v1",
  "MutatingAdmissionPolicyBinding",
  "mutatingadmissionpolicybindings",
  false,
);
export const CustomResourceDefinition = kind<CustomResourceDefinition>(
  "apiextensions.k8s.io",
  "v1",
  "CustomResourceDefinition",
  "customresourcedefinitions",
  false,
);
export const TokenReview = kind<TokenReview>(
  "authentication.k8s.io",
  "v1",
  "TokenReview",
  "tokenreviews",
  false,
);
export const SubjectAccessReview = kind<SubjectAccessReview>(
  "authorization.k8s.io",
  "v1",
  "SubjectAccessReview",
  "subjectaccessreviews",
  false,
);

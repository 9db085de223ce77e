/** Kinds of Kubernetes itself that rules may be about, by API group: for rules that name kinds, or all there are. */
import { NATIVE_ONLY_GROUPS } from "@shieldx/crds";
import { pluralOf } from "../offline/resource-of.ts";

const kindsByGroup: ReadonlyMap<string, readonly string[]> = new Map([
  [
    "",
    [
      ...[
        "ConfigMap",
        "Endpoints",
        "LimitRange",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PersistentVolumeClaim",
      ],
      ...[
        "Pod",
        "PodTemplate",
        "ReplicationController",
        "ResourceQuota",
        "Secret",
        "Service",
        "ServiceAccount",
      ],
    ],
  ],
  ["apps", ["ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"]],
  ["autoscaling", ["HorizontalPodAutoscaler"]],
  ["batch", ["CronJob", "Job"]],
  ["certificates.k8s.io", ["CertificateSigningRequest"]],
  ["discovery.k8s.io", ["EndpointSlice"]],
  ["networking.k8s.io", ["Ingress", "IngressClass", "NetworkPolicy"]],
  ["node.k8s.io", ["RuntimeClass"]],
  ["policy", ["PodDisruptionBudget"]],
  ["rbac.authorization.k8s.io", ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]],
  ["admissionregistration.k8s.io", ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]],
  ["apiextensions.k8s.io", ["CustomResourceDefinition"]],
  ["apiregistration.k8s.io", ["APIService"]],
  ["scheduling.k8s.io", ["PriorityClass"]],
  ["storage.k8s.io", ["CSIDriver", "StorageClass", "VolumeAttachment"]],
]);

/** Groups of kinds that any policy may be about, whoever evaluates it. */
export const openGroups: readonly string[] = [...kindsByGroup.keys()].filter(
  (group) => !NATIVE_ONLY_GROUPS.includes(group),
);

export function kindsOf(group: string): readonly string[] {
  return kindsByGroup.get(group) ?? [];
}

/** Groups that have a built-in kind of this name. */
export function groupsOf(kind: string): readonly string[] {
  return [...kindsByGroup].filter(([, kinds]) => kinds.includes(kind)).map(([group]) => group);
}

/** The kind that a resource holds; of one that is not built in, its own name. */
export function kindOfResource(group: string, resource: string): string {
  return kindsOf(group).find((kind) => pluralOf(kind) === resource) ?? resource;
}

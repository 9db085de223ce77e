/** Versions of APIs that API servers serve no more: kubernetes.io, "Deprecated API Migration Guide". */

interface Removed {
  /** Minor version of Kubernetes that no longer has it. */
  readonly minor: number;
  readonly instead: string;
}

const removed: readonly (readonly [
  apiVersion: string,
  minor: number,
  kinds: readonly string[],
  instead: string,
])[] = [
  ["extensions/v1beta1", 16, ["DaemonSet", "Deployment", "ReplicaSet"], "apps/v1"],
  ["extensions/v1beta1", 16, ["NetworkPolicy"], "networking.k8s.io/v1"],
  ["extensions/v1beta1", 16, ["PodSecurityPolicy"], "engine podSecurity"],
  ["extensions/v1beta1", 22, ["Ingress"], "networking.k8s.io/v1"],
  ["apps/v1beta1", 16, ["*"], "apps/v1"],
  ["apps/v1beta2", 16, ["*"], "apps/v1"],
  ["networking.k8s.io/v1beta1", 22, ["Ingress", "IngressClass"], "networking.k8s.io/v1"],
  [
    "admissionregistration.k8s.io/v1beta1",
    22,
    ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"],
    "admissionregistration.k8s.io/v1",
  ],
  ["apiextensions.k8s.io/v1beta1", 22, ["*"], "apiextensions.k8s.io/v1"],
  ["apiregistration.k8s.io/v1beta1", 22, ["*"], "apiregistration.k8s.io/v1"],
  ["certificates.k8s.io/v1beta1", 22, ["CertificateSigningRequest"], "certificates.k8s.io/v1"],
  ["coordination.k8s.io/v1beta1", 22, ["Lease"], "coordination.k8s.io/v1"],
  ["rbac.authorization.k8s.io/v1alpha1", 22, ["*"], "rbac.authorization.k8s.io/v1"],
  ["rbac.authorization.k8s.io/v1beta1", 22, ["*"], "rbac.authorization.k8s.io/v1"],
  ["scheduling.k8s.io/v1beta1", 22, ["PriorityClass"], "scheduling.k8s.io/v1"],
  [
    "storage.k8s.io/v1beta1",
    22,
    ["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"],
    "storage.k8s.io/v1",
  ],
  ["batch/v2alpha1", 21, ["CronJob"], "batch/v1"],
  ["batch/v1beta1", 25, ["CronJob"], "batch/v1"],
  ["discovery.k8s.io/v1beta1", 25, ["EndpointSlice"], "discovery.k8s.io/v1"],
  ["events.k8s.io/v1beta1", 25, ["Event"], "events.k8s.io/v1"],
  ["autoscaling/v2beta1", 25, ["HorizontalPodAutoscaler"], "autoscaling/v2"],
  ["autoscaling/v2beta2", 26, ["HorizontalPodAutoscaler"], "autoscaling/v2"],
  ["policy/v1beta1", 25, ["PodDisruptionBudget"], "policy/v1"],
  ["policy/v1beta1", 25, ["PodSecurityPolicy"], "engine podSecurity"],
  ["node.k8s.io/v1beta1", 25, ["RuntimeClass"], "node.k8s.io/v1"],
  ["flowcontrol.apiserver.k8s.io/v1beta1", 26, ["*"], "flowcontrol.apiserver.k8s.io/v1"],
  ["flowcontrol.apiserver.k8s.io/v1beta2", 29, ["*"], "flowcontrol.apiserver.k8s.io/v1"],
  ["flowcontrol.apiserver.k8s.io/v1beta3", 32, ["*"], "flowcontrol.apiserver.k8s.io/v1"],
  ["storage.k8s.io/v1beta1", 27, ["CSIStorageCapacity"], "storage.k8s.io/v1"],
];

/** Undefined for what is served, as far as is known. */
export function removedIn(apiVersion: string, kind: string): Removed | undefined {
  const found = removed.find(
    ([version, , kinds]) => version === apiVersion && (kinds.includes("*") || kinds.includes(kind)),
  );
  return found === undefined ? undefined : { minor: found[1], instead: found[3] };
}

import type { Manifest } from "../../e2e/shieldx/objects.ts";

const list = (of: Manifest, key: string): readonly Manifest[] => (of[key] ?? []) as readonly Manifest[];

/** The AdmissionReview that an API server sends for a Pod to be created by dry run, with the defaults it fills in. */
export function reviewOf(pod: Manifest, namespace: string, uid: string): Manifest {
  const kind = { group: "", version: "v1", kind: "Pod" };
  const resource = { group: "", version: "v1", resource: "pods" };
  return {
    kind: "AdmissionReview",
    apiVersion: "admission.k8s.io/v1",
    request: {
      ...{ uid, kind, resource, requestKind: kind, requestResource: resource },
      name: (pod.metadata as Manifest).name,
      namespace,
      operation: "CREATE",
      userInfo: {
        username: "system:serviceaccount:kube-system:replicaset-controller",
        uid: "f2f5f1b4-6f2f-4f0a-9a53-3c9c0e1d7c11",
        groups: ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"],
      },
      object: withDefaults(pod, namespace, uid),
      oldObject: null,
      dryRun: true,
      options: { kind: "CreateOptions", apiVersion: "meta.k8s.io/v1" },
    },
  };
}

function withDefaults(pod: Manifest, namespace: string, uid: string): Manifest {
  const spec = pod.spec as Manifest;
  const tolerations = ["not-ready", "unreachable"].map((condition) => ({
    key: `node.kubernetes.io/${condition}`,
    operator: "Exists",
    effect: "NoExecute",
    tolerationSeconds: 300,
  }));
  const filled = (container: Manifest): Manifest => ({
    terminationMessagePath: "/dev/termination-log",
    terminationMessagePolicy: "File",
    imagePullPolicy: "IfNotPresent",
    ...container,
  });
  return {
    ...pod,
    metadata: {
      ...(pod.metadata as Manifest),
      namespace,
      uid,
      creationTimestamp: "2026-01-01T00:00:00Z",
      managedFields: [
        {
          manager: "kube-controller-manager",
          operation: "Update",
          apiVersion: "v1",
          time: "2026-01-01T00:00:00Z",
          fieldsType: "FieldsV1",
          fieldsV1: { "f:metadata": { "f:labels": { ".": {}, "f:tier": {} } } },
        },
      ],
    },
    spec: {
      restartPolicy: "Always",
      terminationGracePeriodSeconds: 30,
      dnsPolicy: "ClusterFirst",
      serviceAccountName: "default",
      schedulerName: "default-scheduler",
      priority: 0,
      enableServiceLinks: true,
      preemptionPolicy: "PreemptLowerPriority",
      ...spec,
      initContainers: list(spec, "initContainers").map(filled),
      containers: list(spec, "containers").map(filled),
      tolerations: [...list(spec, "tolerations"), ...tolerations],
    },
    status: { phase: "Pending", qosClass: "Burstable" },
  };
}

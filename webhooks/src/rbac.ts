/** A rule of a Role or ClusterRole. */
export interface RbacRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** A cache lists and watches. */
const read = ["list", "watch"] as const;

/** What the ServiceAccount `shieldx-webhooks` is granted, and why it is not less. The chart's roles are generated from it. */
export const webhooksRbac: {
  readonly cluster: readonly RbacRule[];
  readonly namespace: readonly RbacRule[];
} = {
  cluster: [
    {
      apiGroups: ["shieldx.io"],
      resources: ["namespacedshieldpolicies", "shieldbreakglasses", "shieldexceptions", "shieldpolicies"],
      verbs: read,
    },
    // A namespace that is younger than what the cache has seen is looked up.
    { apiGroups: [""], resources: ["namespaces"], verbs: [...read, "get"] },
    // Whose ReplicaSet or Job a refused Pod belongs to: that is where people look for the reason.
    { apiGroups: ["apps"], resources: ["replicasets"], verbs: ["get"] },
    { apiGroups: ["batch"], resources: ["jobs"], verbs: ["get"] },
    // Dry runs only: a policy of engine cel is shown to the API server before it is let in. RBAC cannot say "dry run",
    // but a policy without a binding does nothing, and bindings are not granted.
    {
      apiGroups: ["admissionregistration.k8s.io"],
      resources: ["validatingadmissionpolicies"],
      verbs: ["create"],
    },
    { apiGroups: ["events.k8s.io"], resources: ["events"], verbs: ["create", "patch"] },
    // Who may read /metrics is asked of the API server.
    { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
    { apiGroups: ["authorization.k8s.io"], resources: ["subjectaccessreviews"], verbs: ["create"] },
  ],
  namespace: [
    {
      apiGroups: [""],
      resources: ["secrets"],
      resourceNames: ["shieldx-webhooks-tls"],
      verbs: [...read, "get"],
    },
    // Its own Lease carries the replica's name, which RBAC cannot know beforehand.
    {
      apiGroups: ["coordination.k8s.io"],
      resources: ["leases"],
      verbs: ["create", "delete", "patch"],
    },
  ],
};

/** The part without which a replica cannot become ready: what it reads, and its Lease. */
export const neededToServe: typeof webhooksRbac = {
  cluster: webhooksRbac.cluster.filter(({ verbs }) => verbs.includes("list")),
  namespace: webhooksRbac.namespace,
};

import {
  CA_SECRET,
  FAIL_CONFIGURATION,
  FINDINGS_CONFIGMAP,
  IGNORE_CONFIGURATION,
  KINDS_CONFIGURATION,
  LEADER_LEASE,
  MUTATIONS_CONFIGURATION,
  TLS_SECRET,
} from "@shieldx/crds";

/** A rule of a Role or ClusterRole. */
export interface RbacRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** Rights of one part of the operator. `namespace` rules hold in ShieldX's own namespace only. */
export interface RbacNeeds {
  readonly cluster: readonly RbacRule[];
  readonly namespace: readonly RbacRule[];
}

/** A cache lists and watches; nothing gets one by one what it has in a cache. */
const READ = ["list", "watch"] as const;
/**
 * Server-side apply is a patch; what it makes also has to pass as a create. Fields that somebody added to an object of ours
 * go only with the object replaced, an update.
 */
const WRITE = ["create", "delete", "patch", "update"] as const;

/** What each controller needs, and why it is not less. The chart's roles are generated from {@link operatorRbac}. */
export const controllerRbac = {
  native: {
    cluster: [
      rule("shieldx.io", ["shieldpolicies", "shieldexceptions", "shieldbreakglasses"], READ),
      rule(
        "admissionregistration.k8s.io",
        ["validatingadmissionpolicies", "validatingadmissionpolicybindings"],
        // The caches hold those that bear our label: whose one of our names without it is has to be looked up.
        [...READ, "get", ...WRITE],
      ),
      rule("", ["namespaces"], READ),
    ],
    namespace: [rule("", ["secrets"], READ, [CA_SECRET])],
  },
  shieldpolicy: {
    cluster: [
      rule("shieldx.io", ["shieldpolicies", "shieldexceptions", "shieldbreakglasses"], READ),
      rule("shieldx.io", ["shieldpolicies/status"], ["patch"]),
      rule(
        "admissionregistration.k8s.io",
        ["mutatingadmissionpolicies", "mutatingadmissionpolicybindings"],
        // As of the validating ones.
        [...READ, "get", ...WRITE],
      ),
      // Whether the webhook is called for a policy, and may be.
      rule(
        "admissionregistration.k8s.io",
        ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"],
        READ,
      ),
      rule("", ["namespaces"], READ),
    ],
    namespace: [rule("coordination.k8s.io", ["leases"], READ), rule("", ["secrets"], READ, [CA_SECRET])],
  },
  namespacedshieldpolicy: {
    cluster: [
      rule("shieldx.io", ["namespacedshieldpolicies"], READ),
      rule("shieldx.io", ["namespacedshieldpolicies/status"], ["patch"]),
      // Whether the webhook is called for a policy, and may be.
      rule(
        "admissionregistration.k8s.io",
        ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"],
        READ,
      ),
    ],
    namespace: [rule("coordination.k8s.io", ["leases"], READ), rule("", ["secrets"], READ, [CA_SECRET])],
  },
  rollout: {
    cluster: [
      rule("shieldx.io", ["shieldpolicies", "shieldexceptions"], READ),
      rule("shieldx.io", ["shieldpolicies/status"], ["patch"]),
      rule(
        "admissionregistration.k8s.io",
        ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"],
        READ,
      ),
      rule("", ["namespaces"], READ),
    ],
    namespace: [rule("coordination.k8s.io", ["leases"], READ), rule("", ["secrets"], READ, [CA_SECRET])],
  },
  "webhook-configuration": {
    cluster: [
      rule("shieldx.io", ["namespacedshieldpolicies", "shieldpolicies"], READ),
      rule("admissionregistration.k8s.io", ["validatingwebhookconfigurations"], [...READ, "create"]),
      rule(
        "admissionregistration.k8s.io",
        ["validatingwebhookconfigurations"],
        ["get", "delete", "patch", "update"],
        [FAIL_CONFIGURATION, IGNORE_CONFIGURATION],
      ),
      // Never deleted: it is the chart's, and only put back.
      rule(
        "admissionregistration.k8s.io",
        ["validatingwebhookconfigurations"],
        ["patch", "update"],
        [KINDS_CONFIGURATION],
      ),
    ],
    namespace: [rule("coordination.k8s.io", ["leases"], READ), rule("", ["secrets"], READ, [CA_SECRET])],
  },
  mutations: {
    cluster: [
      rule("shieldx.io", ["shieldpolicies"], READ),
      rule("admissionregistration.k8s.io", ["mutatingwebhookconfigurations"], [...READ, "create"]),
      rule(
        "admissionregistration.k8s.io",
        ["mutatingwebhookconfigurations"],
        ["get", "delete", "patch", "update"],
        [MUTATIONS_CONFIGURATION],
      ),
    ],
    namespace: [rule("coordination.k8s.io", ["leases"], READ), rule("", ["secrets"], READ, [CA_SECRET])],
  },
  certificates: {
    cluster: [
      // The API servers' own addresses (EndpointSlice default/kubernetes) and how many there are (identity Leases).
      rule("discovery.k8s.io", ["endpointslices"], READ),
      rule("coordination.k8s.io", ["leases"], ["list"]),
      // Which bundle is published.
      rule(
        "admissionregistration.k8s.io",
        ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"],
        READ,
      ),
    ],
    namespace: [
      rule("coordination.k8s.io", ["leases"], READ),
      rule("", ["secrets"], ["create"]),
      rule("", ["secrets"], [...READ, "get", "patch"], [CA_SECRET, TLS_SECRET]),
      // The handshake probe is a dry-run create.
      rule("", ["configmaps"], ["create"]),
    ],
  },
  shieldexception: {
    cluster: [
      rule("shieldx.io", ["shieldexceptions", "shieldpolicies"], READ),
      rule("shieldx.io", ["shieldexceptions/status"], ["patch"]),
      rule("", ["namespaces"], READ),
    ],
    namespace: [],
  },
  shieldbreakglass: {
    cluster: [
      rule("shieldx.io", ["shieldbreakglasses", "shieldpolicies"], READ),
      rule("shieldx.io", ["shieldbreakglasses/status"], ["patch"]),
      // Whether anything is still made by the API server that is on its way to the webhook.
      rule(
        "admissionregistration.k8s.io",
        ["mutatingadmissionpolicies", "mutatingadmissionpolicybindings"],
        READ,
      ),
    ],
    namespace: [rule("coordination.k8s.io", ["leases"], READ)],
  },
  gaps: {
    cluster: [
      rule("shieldx.io", ["shieldbreakglasses", "shieldpolicies"], READ),
      rule("shieldx.io", ["shieldpolicies/status"], ["patch"]),
    ],
    namespace: [],
  },
  // What they generate and clean up comes with values of the chart: rbac.generatedKinds, rbac.cleanedKinds.
  generation: {
    cluster: [
      rule("shieldx.io", ["shieldgenerators"], READ),
      rule("shieldx.io", ["shieldgenerators/status"], ["patch"]),
      rule("", ["namespaces"], READ),
    ],
    namespace: [],
  },
  cleanup: {
    cluster: [
      rule("shieldx.io", ["shieldcleanups"], READ),
      rule("shieldx.io", ["shieldcleanups/status"], ["patch"]),
      rule("", ["namespaces"], READ),
    ],
    // The API server's clock is read by a dry-run create.
    namespace: [rule("coordination.k8s.io", ["leases"], ["create"])],
  },
  audit: {
    cluster: [
      rule("", ["pods", "podtemplates", "replicationcontrollers"], READ),
      rule("apps", ["daemonsets", "deployments", "replicasets", "statefulsets"], READ),
      rule("batch", ["cronjobs", "jobs"], READ),
      rule("openreports.io", ["reports"], [...READ, "create", "delete", "patch"]),
    ],
    namespace: [
      // The record of what was found. Every replica shows it.
      rule("", ["configmaps"], ["create"]),
      rule("", ["configmaps"], [...READ, "patch"], [FINDINGS_CONFIGMAP]),
    ],
  },
  manager: {
    cluster: [
      rule("events.k8s.io", ["events"], ["create", "patch"]),
      rule("authentication.k8s.io", ["tokenreviews"], ["create"]),
      rule("authorization.k8s.io", ["subjectaccessreviews"], ["create"]),
    ],
    namespace: [
      rule("coordination.k8s.io", ["leases"], ["create"]),
      rule("coordination.k8s.io", ["leases"], ["get", "update", "watch"], [LEADER_LEASE]),
    ],
  },
} as const satisfies Record<string, RbacNeeds>;

/** All of it, merged: what the chart grants to ServiceAccount `shieldx-operator`. */
export const operatorRbac: RbacNeeds = {
  cluster: mergeRules(Object.values(controllerRbac).flatMap((needs): readonly RbacRule[] => needs.cluster)),
  namespace: mergeRules(
    Object.values(controllerRbac).flatMap((needs): readonly RbacRule[] => needs.namespace),
  ),
};

function rule(
  apiGroup: string,
  resources: readonly string[],
  verbs: readonly string[],
  resourceNames?: readonly string[],
): RbacRule {
  return {
    apiGroups: [apiGroup],
    resources: [...resources],
    verbs: [...verbs],
    ...(resourceNames === undefined ? {} : { resourceNames: [...resourceNames] }),
  };
}

/** One rule for each group, resource and set of names, in one fixed order; equal verbs share a rule. */
export function mergeRules(rules: readonly RbacRule[]): RbacRule[] {
  const verbsOf = new Map<string, { group: string; resource: string; names: string[]; verbs: Set<string> }>();
  for (const { apiGroups, resources, verbs, resourceNames = [] } of rules) {
    for (const group of apiGroups) {
      for (const resource of resources) {
        const names = [...resourceNames].sort();
        const key = JSON.stringify([group, resource, names]);
        const entry = verbsOf.get(key) ?? { group, resource, names, verbs: new Set<string>() };
        for (const verb of verbs) entry.verbs.add(verb);
        verbsOf.set(key, entry);
      }
    }
  }
  const merged = new Map<string, { group: string; resources: string[]; names: string[]; verbs: string[] }>();
  for (const [, { group, resource, names, verbs }] of [...verbsOf].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const sorted = [...verbs].sort();
    const key = JSON.stringify([group, names, sorted]);
    const entry = merged.get(key) ?? { group, resources: [], names, verbs: sorted };
    entry.resources.push(resource);
    merged.set(key, entry);
  }
  return [...merged.values()].map(({ group, resources, names, verbs }) => ({
    apiGroups: [group],
    resources: resources.sort(),
    ...(names.length === 0 ? {} : { resourceNames: names }),
    verbs,
  }));
}

/** What each policy finds in published installations, looked at by a person. */
export interface Review {
  /** What the findings are, and why they are true. Empty where nothing is found any more. */
  readonly found: string;
  /** Of a false alarm that was found there: what it was. */
  readonly mended?: string;
}

const unset = (what: string): Review => ({ found: `${what} is not set.` });
const emptyMember =
  "it came to no verdict where a chart writes a field with nothing behind it (`env:`), which an API server drops before any policy sees it; `policy check` reads manifests as an API server does now.";
const agents = "agents of the network and of storage need the node";

export const reviews: ReadonlyMap<string, Review> = new Map(
  Object.entries({
    "autoscalers-have-room": { found: "HorizontalPodAutoscalers with `minReplicas: 1`." },
    "baseline-pods": {
      found: `Host network, host ports, host paths, capabilities and AppArmor \`unconfined\`: ${agents}, Contour's Envoy binds ports of it.`,
    },
    "cpu-requests-required": unset("`resources.requests.cpu`"),
    "drop-all-capabilities": { found: "Containers that drop no capability." },
    "empty-dir-size-limits": { found: "`emptyDir` volumes without `sizeLimit`." },
    "finished-jobs-go": unset(
      "`ttlSecondsAfterFinished` of Jobs, some of them Helm's hooks that Helm removes,",
    ),
    "grace-period-in-bounds": { found: "`terminationGracePeriodSeconds: 0`." },
    "high-user-ids": { found: "`runAsUser` below 10000." },
    "image-digests-required": { found: "Images by tag alone." },
    "image-registry-named": {
      found:
        "Images without a registry, which are Docker Hub's; of `istio-gateway` the image is `auto`, which Istio's own webhook replaces in the cluster.",
    },
    "jobs-end": unset("`activeDeadlineSeconds` of Jobs"),
    "liveness-differs-from-readiness": { found: "Both probes ask the same path and port." },
    "load-balancer-source-ranges": { found: "Services of type LoadBalancer open to every network." },
    "load-balancers-need-no-node-ports": unset("`allocateLoadBalancerNodePorts: false`"),
    "memory-limits-required": unset("`resources.limits.memory`"),
    "memory-requests-required": unset("`resources.requests.memory`"),
    "namespace-owner": {
      found: "Namespaces without a label `owner`; which label names the owner is for you to say.",
    },
    "namespace-pod-security-level": {
      found: "Namespaces without a Pod Security level of baseline or restricted.",
    },
    "no-added-capabilities": { found: `NET_ADMIN, NET_RAW, SYS_ADMIN and others are added: ${agents}.` },
    "no-allow-all-ingress": { found: "A NetworkPolicy that lets everybody in, to Argo CD's server." },
    "no-api-server-without-tls-check": { found: "APIServices with `insecureSkipTLSVerify: true`." },
    "no-applied-secrets": { found: "", mended: emptyMember },
    "no-bindings-for-everybody": {
      found:
        "A RoleBinding for `system:authenticated`: everybody may ask Sealed Secrets for its certificate.",
    },
    "no-certificate-approval": {
      found: "Rules with `*` for everything, which approval of certificates is part of.",
    },
    "no-control-plane-tolerations": { found: "Tolerations of the control plane's taint." },
    "no-credentials-in-environment": { found: "", mended: emptyMember },
    "no-dangerous-capabilities": { found: `NET_ADMIN, SYS_ADMIN and others are added: ${agents}.` },
    "no-default-namespace": {
      found: "The bundle names the namespace `default`.",
      mended:
        "manifests that leave the namespace to `kubectl apply -n` were taken for ones of `default`; `policy check --namespace` says where they go.",
    },
    "no-default-service-account-token": {
      found: "",
      mended:
        "a Job of Gatekeeper's names its ServiceAccount by the old field `serviceAccount`, which an API server reads as `serviceAccountName`; so does `policy check` now.",
    },
    "no-duplicate-environment": { found: "", mended: emptyMember },
    "no-foreign-service-accounts": {
      found: "RoleBindings in Cilium's namespace for Secrets, for ServiceAccounts of the one it runs in.",
    },
    "no-host-network": { found: `\`hostNetwork: true\`: ${agents}.` },
    "no-host-path-volumes": { found: `\`hostPath\` volumes: ${agents}.` },
    "no-host-ports": { found: "`hostPort` of containers." },
    "no-ingress-from-all-namespaces": { found: "NetworkPolicies with an empty `namespaceSelector`." },
    "no-latest-tag": {
      found:
        "The module is of a development version of Istio, whose images have the tag `latest`; of `istio-gateway` the image is `auto`, which Istio's own webhook replaces in the cluster.",
    },
    "no-miners": { found: "", mended: emptyMember },
    "no-node-proxy": { found: "Rules with `*` for all resources, `nodes/proxy` among them." },
    "no-persistent-volume-creation": { found: "Rules with `*` for everything." },
    "no-pod-exec": {
      found: "Rules with `*` for all resources, `pods/exec` among them, or with `pods/exec` by name.",
    },
    "no-policy-changes": { found: "Rules with `*` for everything, policies among it." },
    "no-privilege-escalation": unset("`allowPrivilegeEscalation: false`"),
    "no-privileged-containers": { found: "`privileged: true`, to mount the file system of BPF." },
    "no-probe-hosts": { found: "Probes that name a host, 127.0.0.1, for Pods on the host's network." },
    "no-raw-sockets": { found: "NET_RAW is added, or not dropped." },
    "no-role-changes": { found: "Rules that grant changes of roles and bindings, by `*` or by name." },
    "no-root-groups": { found: "`runAsGroup: 0`." },
    "no-root-user-id": { found: "`runAsUser: 0`." },
    "no-secret-reading": {
      found: "Rules that grant the reading of Secrets: what these controllers are for, or more than that.",
    },
    "no-secrets-in-environment": { found: "`secretKeyRef` in the environment.", mended: emptyMember },
    "no-sensitive-host-paths": { found: "`hostPath` volumes below /sys, /proc, /etc and /var/run." },
    "no-service-links": unset("`enableServiceLinks: false`"),
    "no-shared-process-namespace": { found: "`shareProcessNamespace: true`." },
    "no-system-priorities": { found: "`system-cluster-critical` or `system-node-critical`." },
    "no-token-requests": { found: "Rules that grant tokens of any ServiceAccount, by `*` or by name." },
    "no-unconfined-apparmor": { found: "AppArmor `Unconfined`." },
    "no-unconfined-seccomp": { found: "Seccomp `Unconfined`." },
    "no-webhook-changes": {
      found: "Rules that grant changes of webhook configurations: controllers that keep a certificate there.",
    },
    "no-wildcard-api-groups": { found: "Rules with `*` for all groups." },
    "no-wildcard-resources": { found: "Rules with `*` for all resources." },
    "no-wildcard-verbs": { found: "Rules with `*` for all verbs." },
    "read-only-root-filesystem": unset("`readOnlyRootFilesystem: true`"),
    "readiness-probes-required": { found: "No container has a readiness probe." },
    "recommended-labels": unset("The label `app.kubernetes.io/name`"),
    "restricted-pods": {
      found: "What `baseline` finds, and seccomp profiles and security contexts that are not set.",
    },
    "restricted-volume-types": { found: "`hostPath` volumes." },
    "run-as-non-root": unset("`runAsNonRoot: true`"),
    "seccomp-profile-required": unset("A seccomp profile"),
    "selinux-type-restricted": { found: "The SELinux type `spc_t`, which is confined by nothing." },
    "two-replicas": { found: "One replica, of controllers of which one works at a time, too." },
    "webhooks-do-not-read-secrets": { found: "Webhooks about `*`, Secrets among it." },
  } satisfies Record<string, Review>),
);

/** The policies of the demo, as a person would write them. */

export const baselineWarn = `apiVersion: shieldx.io/v1alpha1
kind: ShieldPolicy
metadata:
  name: baseline
spec:
  engine: podSecurity
  podSecurity: {level: baseline}
  actions: {admission: warn}
  exceptions:
    namespaces: {names: [metallb-system]}
    maxDuration: 24h
`;

export const baselineDeny = baselineWarn.replace("admission: warn", "admission: deny");

export const restrictedAudit = `apiVersion: shieldx.io/v1alpha1
kind: ShieldPolicy
metadata:
  name: restricted
spec:
  engine: podSecurity
  podSecurity: {level: restricted}
  actions: {admission: audit}
`;

export const fewReplicas = `apiVersion: shieldx.io/v1alpha1
kind: ShieldPolicy
metadata:
  name: few-replicas
spec:
  engine: cel
  matchConstraints:
    resourceRules:
      - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}
  validations:
    - expression: object.spec.replicas <= 5
      messageExpression: "'at most 5 replicas, got ' + string(object.spec.replicas)"
  actions: {admission: deny}
`;

export const badPod = `apiVersion: v1
kind: Pod
metadata: {name: bad, namespace: default}
spec:
  hostNetwork: true
  containers:
    - name: shell
      image: docker.io/local/busybox:test
      securityContext: {privileged: true}
`;

export const goodPod = `apiVersion: v1
kind: Pod
metadata: {name: good, namespace: default}
spec:
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: app
      image: docker.io/local/busybox:test
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`;

export function speakerException(expiresAt: Date): string {
  return `apiVersion: shieldx.io/v1alpha1
kind: ShieldException
metadata: {name: speaker-host-network, namespace: metallb-system}
spec:
  policies: [baseline]
  owner: team-network
  reason: The speaker announces addresses on the host's network (NET-142).
  expiresAt: "${expiresAt.toISOString().replace(/\.\d+Z$/, "Z")}"
  match: {kinds: [DaemonSet], names: [speaker]}
`;
}

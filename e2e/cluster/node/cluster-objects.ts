/** The Kubernetes objects a cluster with nodes starts with: Nodes, agents' rights, cluster DNS, RuntimeClass `gvisor`. */
import { corednsImage } from "../image/node-images.ts";
import type { NodePlan } from "./plan.ts";

export const policyAgentUser = "system:kube-router";
export const gvisorRuntimeClass = "gvisor";

const dnsLabels = { "k8s-app": "kube-dns" };
const kubeSystem = "kube-system";

/** A `v1` List. Nodes are created before their kubelets so that each has the Pod range its routes were set for. */
export function clusterObjects(options: {
  readonly nodes: readonly NodePlan[];
  readonly clusterDnsAddress: string;
  readonly clusterDomain: string;
}): object {
  return {
    apiVersion: "v1",
    kind: "List",
    items: [
      ...options.nodes.map(nodeObject),
      ...policyAgentRights(),
      {
        apiVersion: "node.k8s.io/v1",
        kind: "RuntimeClass",
        metadata: { name: gvisorRuntimeClass },
        handler: "runsc",
      },
      ...dnsRights(),
      corefile(options.clusterDomain),
      dnsDeployment(),
      dnsService(options.clusterDnsAddress),
    ],
  };
}

function nodeObject(node: NodePlan): object {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: node.name, labels: { "kubernetes.io/hostname": node.name } },
    spec: { podCIDR: node.podCidr, podCIDRs: [node.podCidr] },
  };
}

function policyAgentRights(): object[] {
  const read = (apiGroups: string[], resources: string[]) => ({
    apiGroups,
    resources,
    verbs: ["get", "list", "watch"],
  });
  return clusterRights("kube-router", { kind: "User", name: policyAgentUser }, [
    read([""], ["namespaces", "pods", "services", "nodes", "endpoints"]),
    read(["networking.k8s.io"], ["networkpolicies"]),
    read(["discovery.k8s.io"], ["endpointslices"]),
  ]);
}

function dnsRights(): object[] {
  const watch = ["list", "watch"];
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "coredns", namespace: kubeSystem } },
    ...clusterRights("coredns", { kind: "ServiceAccount", name: "coredns", namespace: kubeSystem }, [
      { apiGroups: [""], resources: ["services", "pods", "namespaces"], verbs: watch },
      { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: watch },
    ]),
  ];
}

function clusterRights(name: string, subject: object, rules: object[]): object[] {
  const apiGroup = "rbac.authorization.k8s.io";
  const metadata = { name: `test-cluster:${name}` };
  const user = "namespace" in subject ? subject : { ...subject, apiGroup };
  return [
    { apiVersion: `${apiGroup}/v1`, kind: "ClusterRole", metadata, rules },
    {
      apiVersion: `${apiGroup}/v1`,
      kind: "ClusterRoleBinding",
      metadata,
      roleRef: { apiGroup, kind: "ClusterRole", name: metadata.name },
      subjects: [user],
    },
  ];
}

/** No `forward`: a test that asks for a name outside the cluster gets a refusal at once, not a timeout. */
function corefile(domain: string): object {
  const text = `.:5353 {
    errors
    health :8080 {
        lameduck 2s
    }
    ready :8181
    kubernetes ${domain} in-addr.arpa ip6.arpa {
        pods insecure
        ttl 5
    }
    cache 5
}
`;
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "coredns", namespace: kubeSystem },
    data: { Corefile: text },
  };
}

function dnsDeployment(): object {
  const probe = (path: string, port: number) => ({ httpGet: { path, port }, periodSeconds: 1 });
  const container = {
    name: "coredns",
    image: corednsImage,
    imagePullPolicy: "Never",
    args: ["-conf", "/etc/coredns/Corefile"],
    ports: [
      { name: "dns", containerPort: 5353, protocol: "UDP" },
      { name: "dns-tcp", containerPort: 5353, protocol: "TCP" },
    ],
    readinessProbe: probe("/ready", 8181),
    resources: { requests: { cpu: "10m", memory: "32Mi" } },
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      seccompProfile: { type: "RuntimeDefault" },
    },
    volumeMounts: [{ name: "config", mountPath: "/etc/coredns", readOnly: true }],
  };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "coredns", namespace: kubeSystem, labels: dnsLabels },
    spec: {
      replicas: 1,
      selector: { matchLabels: dnsLabels },
      template: {
        metadata: { labels: dnsLabels },
        spec: {
          serviceAccountName: "coredns",
          priorityClassName: "system-cluster-critical",
          // The only resolver of the cluster comes up on the first node that is there.
          tolerations: [{ operator: "Exists", effect: "NoSchedule" }],
          dnsPolicy: "Default",
          containers: [container],
          volumes: [{ name: "config", configMap: { name: "coredns" } }],
        },
      },
    },
  };
}

function dnsService(clusterIP: string): object {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "kube-dns", namespace: kubeSystem, labels: dnsLabels },
    spec: {
      clusterIP,
      selector: dnsLabels,
      ports: [
        { name: "dns", port: 53, targetPort: "dns", protocol: "UDP" },
        { name: "dns-tcp", port: 53, targetPort: "dns-tcp", protocol: "TCP" },
      ],
    },
  };
}

/** The command lines of the control plane. Pure: paths, addresses and ports in, arguments out. */
import type { AuditPolicy } from "../options.ts";
import { urlHost } from "./certificates.ts";

export const serviceCidr = "10.96.0.0/16";
/** The API servers' own Service is always the first address of the range, DNS by custom the tenth. */
export const kubernetesServiceAddress = "10.96.0.1";
export const clusterDnsAddress = "10.96.0.10";
export const clusterDomain = "cluster.local";

/** `--name=value`; a flag may repeat. */
type Flags = readonly (readonly [name: string, value: string | number | boolean])[];

export function toArgs(flags: Flags): string[] {
  return flags.map(([name, value]) => `--${name}=${value}`);
}

export interface EtcdPlan {
  readonly dataDir: string;
  readonly address: string;
  readonly clientPort: number;
  readonly peerPort: number;
  readonly pki: string;
}

export function etcdUrl(plan: EtcdPlan): string {
  return `https://${urlHost(plan.address)}:${plan.clientPort}`;
}

export function etcdArgs(plan: EtcdPlan): string[] {
  const peer = `https://${urlHost(plan.address)}:${plan.peerPort}`;
  return toArgs([
    ["name", "etcd"],
    ["data-dir", plan.dataDir],
    ["listen-client-urls", etcdUrl(plan)],
    ["advertise-client-urls", etcdUrl(plan)],
    ["listen-peer-urls", peer],
    ["initial-advertise-peer-urls", peer],
    ["initial-cluster", `etcd=${peer}`],
    ["client-cert-auth", true],
    ["trusted-ca-file", `${plan.pki}/etcd-ca.crt`],
    ["cert-file", `${plan.pki}/etcd.crt`],
    ["key-file", `${plan.pki}/etcd.key`],
    ["peer-client-cert-auth", true],
    ["peer-trusted-ca-file", `${plan.pki}/etcd-ca.crt`],
    ["peer-cert-file", `${plan.pki}/etcd.crt`],
    ["peer-key-file", `${plan.pki}/etcd.key`],
    // The data of a test cluster need not survive a power cut; waiting for the disk would set the pace of every write.
    ["unsafe-no-fsync", true],
    ["quota-backend-bytes", 8 * 1024 ** 3],
    ["log-level", "warn"],
  ]);
}

export interface ApiServerPlan {
  readonly etcd: EtcdPlan;
  readonly pki: string;
  readonly address: string;
  readonly port: number;
  /** `none`: the servers share one address, so their EndpointSlices are written by this library (see README). */
  readonly endpointReconciler: "lease" | "none";
  readonly hasNodes: boolean;
  readonly audit?: { readonly policyFile: string; readonly logFile: string };
  readonly featureGates: Readonly<Record<string, boolean>>;
  readonly runtimeConfig: Readonly<Record<string, boolean>>;
  readonly extraArgs: readonly string[];
}

export function apiServerArgs(plan: ApiServerPlan): string[] {
  const { pki } = plan;
  return [
    ...toArgs([
      ["bind-address", plan.address],
      ["advertise-address", plan.address],
      ["secure-port", plan.port],
      ["endpoint-reconciler-type", plan.endpointReconciler],
      ["tls-cert-file", `${pki}/apiserver.crt`],
      ["tls-private-key-file", `${pki}/apiserver.key`],
      ["client-ca-file", `${pki}/ca.crt`],
      ["etcd-servers", etcdUrl(plan.etcd)],
      ["etcd-cafile", `${pki}/etcd-ca.crt`],
      ["etcd-certfile", `${pki}/apiserver-etcd-client.crt`],
      ["etcd-keyfile", `${pki}/apiserver-etcd-client.key`],
      ["kubelet-certificate-authority", `${pki}/ca.crt`],
      ["kubelet-client-certificate", `${pki}/apiserver-kubelet-client.crt`],
      ["kubelet-client-key", `${pki}/apiserver-kubelet-client.key`],
      ["kubelet-preferred-address-types", "InternalIP"],
      ["requestheader-client-ca-file", `${pki}/front-proxy-ca.crt`],
      ["requestheader-allowed-names", "front-proxy-client"],
      ["requestheader-username-headers", "X-Remote-User"],
      ["requestheader-group-headers", "X-Remote-Group"],
      ["requestheader-extra-headers-prefix", "X-Remote-Extra-"],
      ["proxy-client-cert-file", `${pki}/front-proxy-client.crt`],
      ["proxy-client-key-file", `${pki}/front-proxy-client.key`],
      ["service-account-issuer", "https://kubernetes.default.svc"],
      ["service-account-key-file", `${pki}/service-account.pub`],
      ["service-account-signing-key-file", `${pki}/service-account.key`],
      ["service-cluster-ip-range", serviceCidr],
      ["authorization-mode", "Node,RBAC"],
      ["enable-admission-plugins", "NodeRestriction"],
      ["allow-privileged", true],
      ["profiling", false],
    ]),
    // The API server runs beside the nodes, not on one: no kube-proxy serves it, so it calls the Pods behind a webhook's
    // or an aggregated API's Service directly.
    ...(plan.hasNodes ? toArgs([["enable-aggregator-routing", true]]) : []),
    ...(plan.audit === undefined
      ? []
      : toArgs([
          ["audit-policy-file", plan.audit.policyFile],
          ["audit-log-path", plan.audit.logFile],
          ["audit-log-mode", "blocking"],
          ["audit-log-maxsize", 4096],
        ])),
    ...switches("feature-gates", plan.featureGates),
    ...switches("runtime-config", plan.runtimeConfig),
    ...plan.extraArgs,
  ];
}

export interface ControllerPlan {
  readonly pki: string;
  readonly kubeconfig: string;
  readonly address: string;
  readonly port: number;
  readonly featureGates: Readonly<Record<string, boolean>>;
}

function controllerFlags(plan: ControllerPlan, name: string): string[] {
  return toArgs([
    ["kubeconfig", plan.kubeconfig],
    ["authentication-kubeconfig", plan.kubeconfig],
    ["authorization-kubeconfig", plan.kubeconfig],
    ["bind-address", plan.address],
    ["secure-port", plan.port],
    ["tls-cert-file", `${plan.pki}/${name}.crt`],
    ["tls-private-key-file", `${plan.pki}/${name}.key`],
    // There is one of each, so there is nobody to elect against.
    ["leader-elect", false],
    ["profiling", false],
  ]);
}

export function controllerManagerArgs(plan: ControllerPlan & { readonly podCidr?: string }): string[] {
  const { pki } = plan;
  return [
    ...controllerFlags(plan, "kube-controller-manager"),
    ...toArgs([
      ["use-service-account-credentials", true],
      ["service-account-private-key-file", `${pki}/service-account.key`],
      ["root-ca-file", `${pki}/ca.crt`],
      ["client-ca-file", `${pki}/ca.crt`],
      ["requestheader-client-ca-file", `${pki}/front-proxy-ca.crt`],
      ["cluster-signing-cert-file", `${pki}/ca.crt`],
      ["cluster-signing-key-file", `${pki}/ca.key`],
      ["kube-api-qps", 100],
      ["kube-api-burst", 200],
    ]),
    ...(plan.podCidr === undefined
      ? []
      : toArgs([
          ["allocate-node-cidrs", true],
          ["cluster-cidr", plan.podCidr],
          ["node-cidr-mask-size", 24],
          ["service-cluster-ip-range", serviceCidr],
        ])),
    ...switches("feature-gates", plan.featureGates),
  ];
}

export function schedulerArgs(plan: ControllerPlan): string[] {
  return [
    ...controllerFlags(plan, "kube-scheduler"),
    ...toArgs([
      ["client-ca-file", `${plan.pki}/ca.crt`],
      ["requestheader-client-ca-file", `${plan.pki}/front-proxy-ca.crt`],
    ]),
    ...switches("feature-gates", plan.featureGates),
  ];
}

function switches(flag: string, values: Readonly<Record<string, boolean>>): string[] {
  const pairs = Object.entries(values).map(([name, value]) => `${name}=${value}`);
  return pairs.length === 0 ? [] : toArgs([[flag, pairs.join(",")]]);
}

/** The default is every request once, when it is answered, without bodies; annotations of admission are part of that. */
export function auditPolicyFile(wanted: true | AuditPolicy): string {
  const policy =
    wanted === true ? { omitStages: ["RequestReceived"], rules: [{ level: "Metadata" }] } : wanted;
  return JSON.stringify({ apiVersion: "audit.k8s.io/v1", kind: "Policy", ...policy });
}

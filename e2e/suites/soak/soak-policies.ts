// What the soak enforces. Whatever is toggled, the steady policy alone decides about the Pods of the load.
import {
  Deployment,
  type KubeObject,
  Pod,
  type ResourceType,
  resourceType,
} from "@shieldx/controller-runtime";
import { type Manifest, podSecurityPolicy, replicaLimit, restrictedPod } from "../../shieldx/objects.ts";

export const ShieldException = resourceType<KubeObject>({
  group: "shieldx.io",
  version: "v1alpha1",
  kind: "ShieldException",
  plural: "shieldexceptions",
  namespaced: true,
});

/** Where Pods really come and go. The load and the toggled policies are in `default`. */
export const churned = "soak";

export const steady = podSecurityPolicy("soak-steady", {
  failurePolicy: "Fail",
  exceptions: { namespaces: { names: ["default"] } },
});

/** Reports every Pod that may run as root; of requests it knows nothing. */
export const audited = podSecurityPolicy("soak-audited", {
  podSecurity: { level: "restricted" },
  matchConstraints: { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": churned } } },
  actions: { admission: "off", background: "audit" },
});

/** Keeps `baseline` and breaks `restricted`. */
export const rootPod = (name: string, namespace = "default"): Manifest =>
  restrictedPod(name, { securityContext: { seccompProfile: { type: "RuntimeDefault" } } }, namespace);

export interface Toggled {
  readonly name: string;
  readonly policy: (admission: "warn" | "deny") => Manifest;
  readonly type: ResourceType;
  /** What `deny` refuses. */
  readonly offender: Manifest;
}

const inDefault = { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "default" } } };

const webhook: Toggled = {
  name: "soak-toggled-webhook",
  policy: (admission) =>
    podSecurityPolicy("soak-toggled-webhook", {
      podSecurity: { level: "restricted" },
      failurePolicy: "Fail",
      matchConstraints: inDefault,
      actions: { admission },
    }),
  type: Pod,
  offender: rootPod("toggled"),
};

const native: Toggled = {
  name: "soak-toggled-native",
  policy: (admission) =>
    replicaLimit("soak-toggled-native", {
      matchConstraints: {
        ...inDefault,
        resourceRules: [
          { apiGroups: ["apps"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["deployments"] },
        ],
      },
      actions: { admission },
    }),
  type: Deployment,
  offender: {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "toggled", namespace: "default" },
    spec: {
      replicas: 9,
      selector: { matchLabels: { app: "toggled" } },
      template: { metadata: { labels: { app: "toggled" } }, spec: restrictedPod("toggled").spec },
    },
  },
};

export const toggled: readonly Toggled[] = [webhook, native];

/** For Pods whose name begins with `name`, from the steady policy. */
export const exceptionFor = (name: string, lastsMs: number): Manifest => ({
  apiVersion: "shieldx.io/v1alpha1",
  kind: "ShieldException",
  metadata: { name, namespace: "default" },
  spec: {
    policies: ["soak-steady"],
    owner: "team-soak",
    reason: "Comes and goes while everything else does, too.",
    expiresAt: new Date(Date.now() + lastsMs).toISOString().replace(/\.\d+Z$/, "Z"),
    match: { names: [`${name}*`] },
  },
});

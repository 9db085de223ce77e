import type { ShieldException, ShieldPolicy } from "@shieldx/crds";
import type { AdmissionRequestLike } from "../src/policy-set/request.ts";

/** A restricted podSecurity policy that denies, changed by `spec`. */
export function podSecurityPolicy(name: string, spec: Partial<ShieldPolicy["spec"]> = {}): ShieldPolicy {
  return {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldPolicy",
    metadata: { name, uid: `uid-of-${name}`, generation: 1 },
    spec: {
      engine: "podSecurity",
      podSecurity: { level: "baseline", version: "latest" },
      actions: { admission: "deny" },
      evaluation: "Auto",
      ...spec,
    },
  };
}

/** A policy of engine cel about ConfigMaps, changed by `spec`. */
export function celPolicy(name: string, spec: Partial<ShieldPolicy["spec"]> = {}): ShieldPolicy {
  return {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldPolicy",
    metadata: { name, uid: `uid-of-${name}`, generation: 1 },
    spec: {
      engine: "cel",
      evaluation: "Auto",
      matchConstraints: {
        matchPolicy: "Equivalent",
        resourceRules: [
          {
            apiGroups: [""],
            apiVersions: ["v1"],
            operations: ["CREATE", "UPDATE"],
            resources: ["configmaps"],
            scope: "*",
          },
        ],
      },
      validations: [
        {
          expression: "has(object.metadata.labels) && 'owner' in object.metadata.labels",
          message: "label it with an owner",
        },
      ],
      actions: { admission: "deny" },
      exceptions: { namespaces: { names: ["team-a"] }, maxDuration: "720h" },
      ...spec,
    },
  };
}

export function shieldException(
  name: string,
  spec: Partial<ShieldException["spec"]> = {},
  metadata: Partial<ShieldException["metadata"]> = {},
): ShieldException {
  return {
    apiVersion: "shieldx.io/v1alpha1",
    kind: "ShieldException",
    metadata: { name, namespace: "team-a", uid: `uid-of-${name}`, generation: 1, ...metadata },
    spec: {
      policies: ["p"],
      owner: "team a",
      reason: "they predate the policy",
      expiresAt: "2026-01-10T00:00:00Z",
      match: { names: ["bad*"] },
      ...spec,
    },
  };
}

/** `2026-01-01T00:00:00Z`, the present of these tests. */
export const newYear = Date.UTC(2026, 0, 1);

type Fields = Record<string, unknown>;

export function podObject(name: string, spec: Fields = {}, metadata: Fields = {}): Fields {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "team-a", ...metadata },
    spec: { containers: [{ name: "a", image: "registry.example/a:1" }], ...spec },
  };
}

/** A Pod that breaks baseline by two checks. */
export function offender(name = "bad", metadata: Fields = {}): Fields {
  const containers = [{ name: "a", image: "registry.example/a:1", securityContext: { privileged: true } }];
  return podObject(name, { hostNetwork: true, containers }, metadata);
}

export function deploymentOf(pod: Fields, name = "web"): Fields {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: "team-a" },
    spec: { replicas: 1, template: { metadata: {}, spec: pod.spec } },
  };
}

/** A CREATE of the object (or what `change` makes of it), as the API server sends it. */
export function admissionRequest(
  object: Fields,
  change: Partial<AdmissionRequestLike> = {},
): AdmissionRequestLike {
  const kind = String(object.kind);
  const [group, version] = kind === "Deployment" ? ["apps", "v1"] : ["", "v1"];
  const metadata = object.metadata as { name?: string; namespace?: string };
  return {
    uid: "0",
    kind: { group, version, kind },
    resource: { group, version, resource: `${kind.toLowerCase()}s` },
    name: metadata.name,
    namespace: metadata.namespace,
    operation: "CREATE",
    userInfo: { username: "jane", groups: [] },
    object,
    oldObject: null,
    ...change,
  };
}

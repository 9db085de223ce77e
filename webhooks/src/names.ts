import { type KubeObject, type ResourceType, resourceType } from "@shieldx/controller-runtime";
import {
  type ShieldException,
  type ShieldPolicy,
  shieldExceptionKind,
  shieldPolicyKind,
} from "@shieldx/crds";

// Names that other parts of ShieldX (operator, chart, shieldctl) rely on. Changing one is a migration.

export const defaultNamespace = "shieldx-system";
export const tlsSecretName = "shieldx-webhooks-tls";
export const fieldManager = "shieldx-webhooks";

export const annotation = {
  policySetDigest: "shieldx.io/policy-set-digest",
  servingLeaf: "shieldx.io/serving-leaf",
  servingLeafNotAfter: "shieldx.io/serving-leaf-not-after",
  candidateLeaf: "shieldx.io/candidate-leaf",
} as const;

/** On the ConfigMap of a handshake probe: the webhook configuration it is about. */
export const handshakeProbeLabel = "shieldx.io/handshake-probe";

export const path = {
  fail: "/admit/policies/fail",
  ignore: "/admit/policies/ignore",
  kinds: "/validate/kinds",
  probe: "/probe",
} as const;

export function replicaLeaseName(replica: string): string {
  return `shieldx-webhooks-${replica}`;
}

export type ShieldPolicyObject = KubeObject & Pick<ShieldPolicy, "spec" | "status">;
export type ShieldExceptionObject = KubeObject & Pick<ShieldException, "spec" | "status">;

export const ShieldPolicyType: ResourceType<ShieldPolicyObject> = resourceType<ShieldPolicyObject>({
  group: shieldPolicyKind.group,
  version: shieldPolicyKind.version,
  kind: shieldPolicyKind.kind,
  plural: shieldPolicyKind.plural,
  namespaced: false,
});

export const ShieldExceptionType: ResourceType<ShieldExceptionObject> = resourceType<ShieldExceptionObject>({
  group: shieldExceptionKind.group,
  version: shieldExceptionKind.version,
  kind: shieldExceptionKind.kind,
  plural: shieldExceptionKind.plural,
  namespaced: true,
});

import { type KubeObject, type ResourceType, resourceType } from "@shieldx/controller-runtime";
import {
  type NamespacedShieldPolicy,
  namespacedShieldPolicyKind,
  type ShieldException,
  type ShieldPolicy,
  shieldExceptionKind,
  shieldPolicyKind,
} from "@shieldx/crds";

/** Server-side apply field manager of the replicas' Leases. */
export const fieldManager = "shieldx-webhooks";

export type ShieldPolicyObject = KubeObject & Pick<ShieldPolicy, "spec" | "status">;
export type NamespacedShieldPolicyObject = KubeObject & Pick<NamespacedShieldPolicy, "spec" | "status">;
export type ShieldExceptionObject = KubeObject & Pick<ShieldException, "spec" | "status">;

export const ShieldPolicyType: ResourceType<ShieldPolicyObject> = resourceType<ShieldPolicyObject>({
  group: shieldPolicyKind.group,
  version: shieldPolicyKind.version,
  kind: shieldPolicyKind.kind,
  plural: shieldPolicyKind.plural,
  namespaced: false,
});

export const NamespacedShieldPolicyType: ResourceType<NamespacedShieldPolicyObject> =
  resourceType<NamespacedShieldPolicyObject>({
    group: namespacedShieldPolicyKind.group,
    version: namespacedShieldPolicyKind.version,
    kind: namespacedShieldPolicyKind.kind,
    plural: namespacedShieldPolicyKind.plural,
    namespaced: true,
  });

export const ShieldExceptionType: ResourceType<ShieldExceptionObject> = resourceType<ShieldExceptionObject>({
  group: shieldExceptionKind.group,
  version: shieldExceptionKind.version,
  kind: shieldExceptionKind.kind,
  plural: shieldExceptionKind.plural,
  namespaced: true,
});

import { type KubeObject, type ResourceType, resourceType } from "@shieldx/controller-runtime";
import {
  type ShieldException,
  type ShieldPolicy,
  shieldExceptionKind,
  shieldPolicyKind,
} from "@shieldx/crds";

/** Server-side apply field manager of the replicas' Leases. */
export const fieldManager = "shieldx-webhooks";

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

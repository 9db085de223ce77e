import { type KubeObject, type ResourceType, resourceType } from "@shieldx/controller-runtime";
import {
  type ShieldException,
  type ShieldPolicy,
  shieldExceptionKind,
  shieldPolicyKind,
} from "@shieldx/crds";

/** A ShieldPolicy as the API server returns it. */
export type ShieldPolicyObject = KubeObject & Pick<ShieldPolicy, "spec" | "status">;
/** A ShieldException as the API server returns it. */
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

/** `openreports.io/v1alpha1` Report. */
export const ReportType: ResourceType = resourceType({
  group: "openreports.io",
  version: "v1alpha1",
  kind: "Report",
  plural: "reports",
  namespaced: true,
});

/** The API server fills defaults in, so what it returns is what the engine takes. */
export function asPolicy(object: ShieldPolicyObject): ShieldPolicy {
  return object as unknown as ShieldPolicy;
}

export function asException(object: ShieldExceptionObject): ShieldException {
  return object as unknown as ShieldException;
}

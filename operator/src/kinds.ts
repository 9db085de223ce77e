import { definedType, type KubeObject, type ResourceType, resourceType } from "@shieldx/controller-runtime";
import {
  asShieldPolicy,
  type NamespacedShieldPolicy,
  namespacedShieldPolicyKind,
  namespaceOfPolicy,
  type ShieldBreakGlass,
  type ShieldCleanup,
  type ShieldException,
  type ShieldGenerator,
  type ShieldPolicy,
  shieldBreakGlassKind,
  shieldCleanupKind,
  shieldExceptionKind,
  shieldGeneratorKind,
  shieldPolicyKind,
} from "@shieldx/crds";

/** A ShieldPolicy as the API server returns it. */
export type ShieldPolicyObject = KubeObject & Pick<ShieldPolicy, "spec" | "status">;
/** A NamespacedShieldPolicy as the API server returns it. */
export type NamespacedShieldPolicyObject = KubeObject & Pick<NamespacedShieldPolicy, "spec" | "status">;
/** A ShieldException as the API server returns it. */
export type ShieldExceptionObject = KubeObject & Pick<ShieldException, "spec" | "status">;

/** A ShieldBreakGlass as the API server returns it. */
export type ShieldBreakGlassObject = KubeObject & Pick<ShieldBreakGlass, "spec" | "status">;

/** A ShieldGenerator as the API server returns it. */
export type ShieldGeneratorObject = KubeObject & Pick<ShieldGenerator, "spec" | "status">;
/** A ShieldCleanup as the API server returns it. */
export type ShieldCleanupObject = KubeObject & Pick<ShieldCleanup, "spec" | "status">;

export const ShieldPolicyType = definedType<ShieldPolicyObject>(shieldPolicyKind);

export const NamespacedShieldPolicyType =
  definedType<NamespacedShieldPolicyObject>(namespacedShieldPolicyKind);

export const ShieldExceptionType = definedType<ShieldExceptionObject>(shieldExceptionKind);

export const ShieldBreakGlassType = definedType<ShieldBreakGlassObject>(shieldBreakGlassKind);

export const ShieldGeneratorType = definedType<ShieldGeneratorObject>(shieldGeneratorKind);

export const ShieldCleanupType = definedType<ShieldCleanupObject>(shieldCleanupKind);

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

/** A tenant's policy among those of the cluster: called `namespace/name`, and confined to its namespace. */
export function tenantAsPolicy(object: NamespacedShieldPolicyObject): ShieldPolicyObject {
  return asShieldPolicy(object as unknown as NamespacedShieldPolicy) as unknown as ShieldPolicyObject;
}

/** The object whose status tells of a policy, of the cluster or as {@link tenantAsPolicy} made it. */
export function statusTargetOf(policy: ShieldPolicyObject): {
  readonly type: ResourceType;
  readonly object: KubeObject;
} {
  const { metadata } = policy;
  const namespace = namespaceOfPolicy(metadata.name);
  if (namespace === undefined) return { type: ShieldPolicyType as unknown as ResourceType, object: policy };
  const name = metadata.name.slice(namespace.length + 1);
  return {
    type: NamespacedShieldPolicyType as unknown as ResourceType,
    object: { ...policy, kind: namespacedShieldPolicyKind.kind, metadata: { ...metadata, namespace, name } },
  };
}

export function asException(object: ShieldExceptionObject): ShieldException {
  return object as unknown as ShieldException;
}

import { definedType, type KubeObject } from "@shieldx/controller-runtime";
import {
  type NamespacedShieldPolicy,
  namespacedShieldPolicyKind,
  type ShieldBreakGlass,
  type ShieldException,
  type ShieldPolicy,
  shieldBreakGlassKind,
  shieldExceptionKind,
  shieldPolicyKind,
} from "@shieldx/crds";

/** Server-side apply field manager of the replicas' Leases. */
export const fieldManager = "shieldx-webhooks";

export type ShieldPolicyObject = KubeObject & Pick<ShieldPolicy, "spec" | "status">;
export type NamespacedShieldPolicyObject = KubeObject & Pick<NamespacedShieldPolicy, "spec" | "status">;
export type ShieldExceptionObject = KubeObject & Pick<ShieldException, "spec" | "status">;

export type ShieldBreakGlassObject = KubeObject & Pick<ShieldBreakGlass, "spec" | "status">;

export const ShieldPolicyType = definedType<ShieldPolicyObject>(shieldPolicyKind);

export const NamespacedShieldPolicyType =
  definedType<NamespacedShieldPolicyObject>(namespacedShieldPolicyKind);

export const ShieldBreakGlassType = definedType<ShieldBreakGlassObject>(shieldBreakGlassKind);

export const ShieldExceptionType = definedType<ShieldExceptionObject>(shieldExceptionKind);

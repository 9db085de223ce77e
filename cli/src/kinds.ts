import { definedType, type ResourceType } from "@shieldx/controller-runtime";
import {
  namespacedShieldPolicyKind,
  shieldBreakGlassKind,
  shieldExceptionKind,
  shieldPolicyKind,
} from "@shieldx/crds";

export const ShieldPolicyType: ResourceType = definedType(shieldPolicyKind);
export const NamespacedShieldPolicyType: ResourceType = definedType(namespacedShieldPolicyKind);
export const ShieldBreakGlassType: ResourceType = definedType(shieldBreakGlassKind);
export const ShieldExceptionType: ResourceType = definedType(shieldExceptionKind);

import { type ResourceType, resourceType } from "@shieldx/controller-runtime";
import {
  type KindDefinition,
  namespacedShieldPolicyKind,
  shieldExceptionKind,
  shieldPolicyKind,
} from "@shieldx/crds";

export const ShieldPolicyType: ResourceType = typeOf(shieldPolicyKind);
export const NamespacedShieldPolicyType: ResourceType = typeOf(namespacedShieldPolicyKind);
export const ShieldExceptionType: ResourceType = typeOf(shieldExceptionKind);

function typeOf({
  group,
  version,
  kind,
  plural,
  scope,
}: Pick<KindDefinition, "group" | "version" | "kind" | "plural" | "scope">) {
  return resourceType({ group, version, kind, plural, namespaced: scope === "Namespaced" });
}

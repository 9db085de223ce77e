import { type ResourceType, resourceType } from "@shieldx/controller-runtime";
import { shieldExceptionKind, shieldPolicyKind } from "@shieldx/crds";

export const ShieldPolicyType: ResourceType = typeOf(shieldPolicyKind);
export const ShieldExceptionType: ResourceType = typeOf(shieldExceptionKind);

function typeOf({
  group,
  version,
  kind,
  plural,
  scope,
}: typeof shieldPolicyKind | typeof shieldExceptionKind) {
  return resourceType({ group, version, kind, plural, namespaced: scope === "Namespaced" });
}

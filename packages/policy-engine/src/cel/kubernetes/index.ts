/**
 * Kubernetes' own CEL libraries: everything an expression may call on the API server that cel-go does not bring
 * itself, and what becomes of the results of mutation expressions.
 */

export { mergeApplyConfiguration } from "./apply-configuration.ts";
export {
  type AuthorizationAnswer,
  type AuthorizationCheck,
  type AuthorizationLookup,
  authorizationCheckKey,
  type CheckedUser,
  type PathCheckAttributes,
  type ResourceCheckAttributes,
  serviceAccountUser,
} from "./authorization-check.ts";
export { AuthorizerValue, type CheckedResource, ResourceCheckValue } from "./authorizer.ts";
export { type CallCost, kubernetesCost } from "./cost.ts";
export type { Json, JsonRecord } from "./json.ts";
export { applyJsonPatch, type JsonPatchOperation } from "./json-patch.ts";
export { AUTHORIZER, RESOURCE_CHECK } from "./kubernetes-types.ts";
export {
  introducedInMinor,
  kubernetesLibraries,
  librariesOfMinor,
  type VersionedLibrary,
  versionedLibraries,
} from "./libraries.ts";
export { JSON_PATCH_TYPE, OBJECT_TYPE, patchLibrary } from "./patch-types.ts";
export { applyConfigurationOf, celToJson, jsonPatchOperations } from "./patch-values.ts";
export type { SelectorRequirement } from "./selectors.ts";
export { type Atom, type SchemaResolver, schemaAtom } from "./structural-schema.ts";

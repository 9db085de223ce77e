export type { JsonPatchOperation } from "../cel/kubernetes/json-patch.ts";
export { jsonDiff } from "./json-diff.ts";
export {
  documentPath,
  type ObjectType,
  type ObjectTypes,
  objectTypes,
  withoutProse,
} from "./object-types.ts";

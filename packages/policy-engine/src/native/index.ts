export { describeMissing, type MissingFunction, missingOnServer } from "../cel/admission/server-functions.ts";
export type { FoldedExceptions } from "./exception-condition.ts";
export { type Alone, type Fragment, fragmentOf } from "./fragment.ts";
export { FEWEST_TO_MERGE, type Group, type Grouping, groupFragments, isGroupName } from "./grouping.ts";
export type { Head } from "./head.ts";
export {
  MEMBERS_ANNOTATION,
  type MergedMember,
  type MergedPolicy,
  memberOf,
  membersOf,
  mergeMembers,
  ownersOfField,
  type StoredPolicy,
} from "./merge.ts";
export { notFinalizing, notNamespaceCleanup } from "./must-pass.ts";
export {
  type RenderedMutatingAdmissionPolicy,
  type RenderedMutatingBinding,
  type RenderedMutations,
  renderMutations,
} from "./mutating.ts";
export {
  admissionPolicyName,
  type RenderedBinding,
  type RenderedMetadata,
  type RenderedPolicy,
  type RenderedValidatingAdmissionPolicy,
  type RenderOptions,
  renderAdmissionPolicy,
} from "./render.ts";

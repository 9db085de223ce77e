export {
  type AuthorizationAnswer,
  type AuthorizationCheck,
  authorizationCheckKey,
  serviceAccountUser,
} from "../cel/kubernetes/authorization-check.ts";
export { buildPolicySet, type PolicySetInput, type PreparedPolicies } from "./build.ts";
export { clusterScopedKinds } from "./cluster-scoped.ts";
export {
  type CompiledPolicy,
  type CompileEnvironment,
  compilePolicy,
  podResourceRules,
  type Stage,
} from "./compile.ts";
export { type PolicySetMember, policySetDigest } from "./digest.ts";
export { isAboutTests, isTransient, PolicyCompileError, type PolicyCompileErrorCode } from "./errors.ts";
export {
  type CompiledException,
  compileException,
  type ExceptionStanding,
  type ExceptionTerms,
  standingOf,
} from "./exceptions.ts";
export {
  type InventoryAtHand,
  type InventoryKind,
  inventoryAtHand,
  inventoryReferences,
} from "./inventory.ts";
export type { Check, StatusReason, Violation } from "./judgement.ts";
export { isLeftAlone } from "./left-alone.ts";
export { shownText } from "./message.ts";
export type { MutationVerdict } from "./mutate.ts";
export {
  type ParamLookup,
  type ParamObjects,
  type ParamReference,
  paramReferences,
} from "./params.ts";
export {
  type AuditVerdict,
  type EvaluationContext,
  isPolicyProblem,
  type JudgeContext,
  type MutationContext,
  type MutationFilter,
  PolicySet,
  type PolicySetProblem,
} from "./policy-set.ts";
export type { PolicyUse } from "./policy-use.ts";
export { POLICIES_PER_SLICE, preparePolicies } from "./prepare.ts";
export {
  type AdmissionRequestLike,
  type FailurePolicy,
  type GroupVersionResource,
  neverJudgedNamespaces,
} from "./request.ts";
export { type CompiledSelector, compileSelector, type LabelSelectorLike, type Labels } from "./selector.ts";
export { type BoundedPolicies, MAX_TENANT_POLICIES, withinBound } from "./tenants/bound.ts";
export { notByClusterComponent } from "./tenants/cluster-components.ts";
export type { TenantContext } from "./tenants/tenant-policies.ts";
export { TenantTime } from "./tenants/time.ts";
export { TimeShare } from "./time-share.ts";
export { inTurns, type TimedContext, Timing, type Turns, threadCpuNow } from "./timing.ts";
export type { WhyUnread } from "./unread.ts";
export type { Exempted, Finding, FindingAction, FindingCode, Verdict } from "./verdict.ts";

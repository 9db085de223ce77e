export type { KindDefinition, PrinterColumn } from "./definition/kind.ts";
export {
  type ExceptionApproval,
  type ExceptionUse,
  type ExceptionUses,
  exceptionSpecDigest,
  fittingApprovals,
  formatExceptionApprovals,
  formatExceptionUses,
  MAX_APPROVER_LENGTH,
  MAX_REPORTED_APPROVALS,
  MAX_REPORTED_USES,
  parseExceptionApprovals,
  parseExceptionUses,
} from "./exception-reports.ts";
export {
  type BreakGlassReports,
  formatBreakGlassReports,
  LAST_TIMESTAMP_MS,
  type LetThrough,
  type LetThroughCount,
  MAX_REPORTED_COUNTS,
  MAX_REPORTED_GLASSES,
  MAX_REPORTED_REQUESTS,
  parseBreakGlassReports,
} from "./gaps/reports.ts";
export {
  formatKeptPolicies,
  type KeptPolicies,
  type KeptPolicy,
  parseKeptPolicies,
  type WebhookCalls,
  webhookCallsOf,
} from "./kept-policies.ts";
export { kinds } from "./kinds.ts";
export { type Condition, condition } from "./kubernetes/condition.ts";
export { parseDurationMs } from "./kubernetes/duration.ts";
export type { LabelSelector } from "./kubernetes/label-selector.ts";
export {
  type ManifestDocument,
  ManifestSyntaxError,
  parseManifestDocuments,
  parseManifests,
} from "./kubernetes/manifests.ts";
export type { MatchConstraints, ResourceRule } from "./kubernetes/match-resources.ts";
export type { ManagedFieldsEntry, ObjectMeta, OwnerReference } from "./kubernetes/object-meta.ts";
export { MAX_NAME_LENGTH } from "./kubernetes/short-name.ts";
export * from "./names.ts";
export { asShieldPolicy, NAMESPACE_NAME_LABEL } from "./namespacedshieldpolicy/as-shield-policy.ts";
export { namespaceOfPolicy, policyTitle, tenantPolicyName } from "./namespacedshieldpolicy/policy-name.ts";
export {
  type NamespacedShieldPolicy,
  type NamespacedShieldPolicyStatus,
  namespacedShieldPolicyKind,
} from "./namespacedshieldpolicy/schema.ts";
export { MAX_TENANT_INVENTORY_KINDS } from "./namespacedshieldpolicy/spec.ts";
export { missingParameterRight } from "./parameter-rights.ts";
export {
  InvalidObjectError,
  type ObjectProblem,
  type ParseOptions,
  parseNamespacedShieldPolicy,
  parseShieldBreakGlass,
  parseShieldCleanup,
  parseShieldException,
  parseShieldGenerator,
  parseShieldObject,
  parseShieldPolicy,
} from "./parse.ts";
export {
  BUNDLE_FAILED,
  formatPolicyProblems,
  NOT_SERVED,
  NOT_UNDERSTOOD,
  type PolicyProblem,
  parsePolicyProblems,
} from "./policy-problems.ts";
export {
  type FoundObject,
  formatRolloutReports,
  MAX_REPORTED_ROLLOUTS,
  parseRolloutReports,
  type RolloutReport,
  type RolloutReports,
} from "./rollout/reports.ts";
export { formatRolloutRequest, parseRolloutRequest, type RolloutRequest } from "./rollout/requests.ts";
export {
  actsInNamespace,
  canBeKept,
  type InForce,
  inWebhook,
  isJudgedByStatus,
  keptSpecOf,
  rolloutDigest,
  type StagedPolicy,
  type Staging,
  stagingKey,
  stagingOf,
  versionDigest,
  versionSpecs,
  webhookCallsFor,
} from "./rollout/staging.ts";
export {
  FULL,
  firstStep,
  ROLLED_BACK,
  type RolloutStep,
  stepAfter,
  stepDurationMs,
} from "./rollout/steps.ts";
export {
  MAX_BROKEN_POLICIES,
  type ShieldBreakGlass,
  type ShieldBreakGlassSpec,
  type ShieldBreakGlassStatus,
  shieldBreakGlassKind,
} from "./shieldbreakglass/schema.ts";
export {
  type BreakGlassWindow,
  breakGlassWindow,
  breaksPolicy,
  isBreakGlassOpen,
  MAX_BREAK_GLASS_MS,
  type StoredBreakGlass,
} from "./shieldbreakglass/window.ts";
export {
  DEFAULT_CLEANUP_INTERVAL,
  DEFAULT_MAX_DELETIONS,
  MAX_CLEANUP_EXAMPLES,
  SHIELD_CLEANUP_CONDITIONS,
  type ShieldCleanup,
  type ShieldCleanupSpec,
  type ShieldCleanupStatus,
  shieldCleanupKind,
} from "./shieldcleanup/schema.ts";
export { type CleanupTarget, mayBeCleaned } from "./shieldcleanup/targets.ts";
export {
  coversEverything,
  nameMatches,
  SHIELD_EXCEPTION_CONDITIONS,
  type ShieldException,
  type ShieldExceptionSpec,
  type ShieldExceptionStatus,
  shieldExceptionKind,
  shieldExceptionSchema,
} from "./shieldexception/schema.ts";
export {
  GENERATED_KINDS,
  GENERATION_VERBS,
  type GeneratedKind,
  generatedKindOf,
} from "./shieldgenerator/generated-kinds.ts";
export {
  MAX_GENERATOR_PROBLEMS,
  SHIELD_GENERATOR_CONDITIONS,
  type ShieldGenerator,
  type ShieldGeneratorSpec,
  type ShieldGeneratorStatus,
  shieldGeneratorKind,
} from "./shieldgenerator/schema.ts";
export type { BundleSpec } from "./shieldpolicy/bundle.ts";
export {
  type EnforcedBy,
  effectiveBackground,
  effectiveFailurePolicy,
  effectiveReinvocation,
  fitsWebhook,
  hasWildcard,
  isJudgedByWebhook,
  isOnlyServed,
  isServed,
  judgesSoFar,
  MOST_WEBHOOK_CALLS,
  maxExceptionDurationMs,
  mayRefuse,
  mutates,
  NATIVE_ONLY_GROUPS,
  pinsDigests,
  validates,
  webhookCalls,
} from "./shieldpolicy/effective.ts";
export { DEFAULT_MAX_EXCEPTION_DURATION } from "./shieldpolicy/exceptions.ts";
export {
  type Gap,
  type GapCause,
  type GapObject,
  MAX_GAP_OBJECTS,
  MAX_GAP_SHARES,
  MAX_GAPS,
} from "./shieldpolicy/gap-status.ts";
export {
  POD_SECURITY_CHECKS,
  POD_SECURITY_LEVELS,
  type PodSecurityVersion,
} from "./shieldpolicy/pod-security.ts";
export type { RegoSpec } from "./shieldpolicy/rego.ts";
export type { RolloutSpec } from "./shieldpolicy/rollout.ts";
export {
  MAX_FOUND,
  MAX_FOUND_MESSAGE,
  MAX_KEPT_SPEC,
  MAX_ROLLOUT_REQUEST,
  MAX_ROLLOUT_SHARES,
  ROLLOUT_STAGES,
  type RolloutCounts,
  type RolloutFound,
  type RolloutStage,
  type RolloutStatus,
} from "./shieldpolicy/rollout-status.ts";
export { POD_SECURITY_RESOURCES } from "./shieldpolicy/rules.ts";
export {
  type ShieldPolicy,
  type ShieldPolicySpec,
  type ShieldPolicyStatus,
  shieldPolicyKind,
  shieldPolicySchema,
} from "./shieldpolicy/schema.ts";
export { formatLoadedBy, MAX_WORST_OFFENDERS, SHIELD_POLICY_CONDITIONS } from "./shieldpolicy/status.ts";
export { MAX_POLICY_TESTS, type PolicyTest, policyTestSchema } from "./shieldpolicy/tests.ts";
export type { VerifyImagesSpec } from "./shieldpolicy/verify-images.ts";

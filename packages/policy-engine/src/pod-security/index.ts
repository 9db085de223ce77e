export { allChecks } from "./catalogue.ts";
export type { CheckId, PodSecurityCheck } from "./check.ts";
export {
  evaluatePodSecurity,
  type PodSecurityRequest,
  type PodSecurityVerdict,
} from "./evaluate.ts";
export { type ExemptionGround, exemptionGround, type PodSecurityExemptions } from "./exemptions.ts";
export { judgedParts } from "./judged-parts.ts";
export {
  isPodSecurityLevel,
  isPodSecurityVersion,
  newestKnownMinor,
  type PodSecurityLevel,
  type PodSecurityVersion,
  podSecurityLevels,
  resolveMinor,
} from "./levels.ts";
export { podJudgementUnchanged } from "./unchanged.ts";
export { type ExtractedPod, extractPodSpec, type PodCarrier, podCarrierOf, podCarriers } from "./workload.ts";

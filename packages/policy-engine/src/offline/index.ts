export { requestToCreate, type SetInFiles } from "./answers.ts";
export {
  type BenchedPolicy,
  type BenchFigures,
  type BenchReport,
  benchPolicies,
  type PolicyBench,
  type SpentLanguage,
  type SpentWork,
} from "./bench.ts";
export {
  checkManifests,
  type LocatedFinding,
  type ManifestToCheck,
  type OfflineCheck,
  type OfflineReport,
  type SkippedObject,
} from "./check-manifests.ts";
export {
  type ExplainedRequest,
  type ExplainedSubject,
  type ExplainReport,
  type ExplainRequests,
  explainRequests,
} from "./explain-requests.ts";
export {
  type Replay,
  type ReplayChange,
  type ReplayedAnswer,
  type ReplayedRequest,
  type ReplayReport,
  replayRequests,
  type Said,
} from "./replay.ts";
export { type DefinedResources, pluralOf } from "./resource-of.ts";

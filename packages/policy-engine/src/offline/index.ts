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
export { type DefinedResources, pluralOf } from "./resource-of.ts";

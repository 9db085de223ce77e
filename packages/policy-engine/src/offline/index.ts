export {
  checkManifests,
  type LocatedFinding,
  type ManifestToCheck,
  type OfflineCheck,
  type OfflineReport,
  type SkippedObject,
} from "./check-manifests.ts";

export type {
  Bundle,
  BundleModule,
  DeltaBundle,
  Manifest as BundleManifest,
  PatchOperation,
  RegoVersion,
  SnapshotBundle,
} from "./bundle.ts";
export { applyDelta } from "./delta.ts";
export { BundleError, type BundleErrorCode } from "./errors.ts";
export { type BundleLimits, defaultBundleLimits } from "./limits.ts";
export { type ReadOptions, readBundle } from "./read.ts";
export { checkOverlaps, Roots } from "./roots.ts";
export {
  type BundleVerifier,
  bundleVerifier,
  type VerificationKey,
  type VerifierOptions,
} from "./verifier.ts";

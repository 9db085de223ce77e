export { BundleFetchError, type BundleFetchErrorCode } from "./errors.ts";
export { type BundleStore, bundleFolder, type KeptBundle } from "./kept.ts";
export type { BundleAnswer, BundleCredentials, BundleRequest, FetchBundle } from "./request.ts";
export { defaultPolling, type Polling } from "./schedule.ts";
export { type BundleProblem, BundleSource, type BundleSourceOptions, type BundleStatus } from "./source.ts";

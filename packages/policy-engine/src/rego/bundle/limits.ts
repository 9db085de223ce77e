/** What a bundle may take of the process that reads it. */
export interface BundleLimits {
  /** As it is sent. */
  readonly compressedBytes: number;
  /** As a tar archive. Inflation stops there, so that is the most memory a gzip bomb gets. */
  readonly inflatedBytes: number;
  /** Inflated bytes for each compressed one, counted from a megabyte on: small bundles may be very regular. */
  readonly ratio: number;
  readonly files: number;
  /** Of one path, in bytes of UTF-8. */
  readonly pathBytes: number;
  /** Folders within folders. */
  readonly depth: number;
  /** Values of all JSON and YAML files: an empty list takes two bytes of text and some fifty of memory. */
  readonly values: number;
  /** Of all YAML files: reading them takes microseconds a character. */
  readonly yamlBytes: number;
  readonly patchOperations: number;
}

export const defaultBundleLimits: BundleLimits = {
  compressedBytes: 32 << 20,
  inflatedBytes: 128 << 20,
  ratio: 200,
  files: 10_000,
  pathBytes: 1_024,
  depth: 64,
  values: 5_000_000,
  yamlBytes: 4 << 20,
  patchOperations: 10_000,
};

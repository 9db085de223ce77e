/** Why a bundle is refused. */
export type BundleErrorCode =
  /** No gzipped tar archive, or one of a form that bundles do not need. */
  | "INVALID_ARCHIVE"
  /** Larger, deeper or more of something than the limits allow. */
  | "LIMIT_EXCEEDED"
  /** A file of the bundle cannot be read as what its name says it is. */
  | "INVALID_FILE"
  | "INVALID_MANIFEST"
  /** A module, data or a patch outside the roots of the manifest, or roots of two bundles that overlap. */
  | "OUTSIDE_ROOTS"
  /** A patch that cannot be applied to the bundle it is for. */
  | "INVALID_PATCH"
  /** A signature is required and missing. */
  | "UNSIGNED"
  | "INVALID_SIGNATURE"
  /** A key to verify with cannot be used; the configuration is to blame, not the bundle. */
  | "INVALID_KEY"
  /** A part of OPA's format that ShieldX does not run, such as WebAssembly. */
  | "UNSUPPORTED";

/** Thrown by all that reads bundles, and by nothing else: a bundle, a delta or a key is refused as a whole. */
export class BundleError extends Error {
  readonly code: BundleErrorCode;
  /** The file of the bundle that is to blame, without a leading slash. */
  readonly file: string | undefined;
  constructor(code: BundleErrorCode, message: string, options?: ErrorOptions & { readonly file?: string }) {
    super(options?.file === undefined ? message : `${options.file}: ${message}`, options);
    this.name = "BundleError";
    this.code = code;
    this.file = options?.file;
  }
}

/** Why a bundle could not be fetched; what is wrong with one that was fetched is a `BundleError`. */
export type BundleFetchErrorCode =
  /** The server cannot be reached, or breaks off. */
  | "REQUEST_FAILED"
  | "TIMED_OUT"
  /** It answers, but with neither a bundle nor "not modified". */
  | "REFUSED_BY_SERVER"
  /** It sends elsewhere: to another host, to plain HTTP, or in circles. */
  | "REDIRECT_REFUSED"
  | "TOO_LARGE"
  /** The address, or what to authenticate with, cannot be used. */
  | "INVALID_SOURCE"
  /** Whoever uses the bundle refused it. */
  | "NOT_ACTIVATED"
  /** It is in use, but could not be written to disk or read from there. */
  | "NOT_KEPT"
  /** Whoever gives the token or certificates has none. */
  | "NO_CREDENTIALS"
  /** A defect of ShieldX; please report it. */
  | "INTERNAL_ERROR";

/** Messages name the server, never what was sent to it. */
export class BundleFetchError extends Error {
  readonly code: BundleFetchErrorCode;
  constructor(code: BundleFetchErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "BundleFetchError";
    this.code = code;
  }
}

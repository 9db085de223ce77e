export type PkiErrorCode =
  /** The text holds no PEM block of the expected kind, or the block is not a certificate or key. */
  | "pem_invalid"
  /** A certificate and a private key do not belong together. */
  | "key_mismatch"
  /** A requested name, lifetime or issuer cannot be put into a certificate. */
  | "request_invalid"
  /** Stored trust bundle state is missing parts or was written by a newer version. */
  | "state_invalid";

/** Thrown when certificates, keys or stored trust bundle state cannot be used. Messages never contain key material. */
export class PkiError extends Error {
  override readonly name = "PkiError";
  readonly code: PkiErrorCode;

  constructor(code: PkiErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

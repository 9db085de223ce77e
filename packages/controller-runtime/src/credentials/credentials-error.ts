/** Stable codes of {@link CredentialsError}. */
export type CredentialsErrorCode =
  | "FileMissing"
  | "FileUnreadable"
  | "MalformedKubeconfig"
  | "ContextMissing"
  | "ClusterMissing"
  | "UserMissing"
  | "InvalidServer"
  | "InvalidData"
  | "Unsupported"
  | "NotInCluster"
  | "ExecFailed"
  | "ExecMalformed"
  | "NothingConfigured";

/**
 * Thrown when no usable identity towards an API server could be had. The message is one line: what is wrong,
 * where, and what to do about it.
 */
export class CredentialsError extends Error {
  override readonly name = "CredentialsError";
  readonly code: CredentialsErrorCode;
  /** What a person should do. */
  readonly remedy: string;

  constructor(code: CredentialsErrorCode, problem: string, remedy: string, cause?: unknown) {
    super(oneLine(`${problem}; ${remedy}`), cause === undefined ? undefined : { cause });
    this.code = code;
    this.remedy = oneLine(remedy);
  }
}

function oneLine(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, " ").trim();
}

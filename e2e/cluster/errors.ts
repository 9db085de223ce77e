/**
 * Everything this folder throws on purpose. `code` is stable; the message says what, where, and what to do.
 *
 * - `PREREQUISITE`: a program, a right or a kernel feature is missing; the message names the command that installs it.
 * - `BUILD_FAILED`: the Go toolchain refused a module; the message ends with its last lines.
 * - `PATCH_MISMATCH`: a source patch did not match exactly once.
 * - `CLUSTER_EXISTS`: a cluster of that name is running.
 * - `CLUSTER_NOT_FOUND`: no cluster of that name is running.
 * - `CLUSTER_UNUSABLE`: the cluster of another provider (kind, existing) does not answer.
 * - `PROCESS_EXITED`: a component ended while it was waited for; the message ends with the tail of its log.
 * - `TIMEOUT`: a condition did not come true in time; the message says which, and what was seen last.
 * - `COMMAND_FAILED`: a command ended with a status other than 0.
 * - `INVALID_OPTION`: an option or an environment variable has a value outside its range.
 * - `WATCHDOG_GONE`: the watchdog of the cluster ended, so its processes can no longer be steered.
 */
export type ClusterErrorCode =
  | "PREREQUISITE"
  | "BUILD_FAILED"
  | "PATCH_MISMATCH"
  | "CLUSTER_EXISTS"
  | "CLUSTER_NOT_FOUND"
  | "CLUSTER_UNUSABLE"
  | "PROCESS_EXITED"
  | "TIMEOUT"
  | "COMMAND_FAILED"
  | "INVALID_OPTION"
  | "WATCHDOG_GONE";

export class ClusterError extends Error {
  readonly code: ClusterErrorCode;

  constructor(code: ClusterErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ClusterError";
    this.code = code;
  }
}

/** A missing prerequisite, with the command that installs it on Debian (or wherever the message says). */
export function missingPrerequisite(what: string, install: string): ClusterError {
  return new ClusterError("PREREQUISITE", `${what}\n  To install it: ${install}`);
}

/** The `code` of a system error such as ENOENT, or undefined for anything else. */
export function systemErrorCode(error: unknown): string | undefined {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return undefined;
}

import { CredentialsError } from "../credentials/credentials-error.ts";
import { ApiError, isGone, isResourceVersionTooLarge, TransportError } from "../transport/api-error.ts";
import type { Failure } from "./reflector.ts";

/** What an error of a list or watch means for the reflector. */
export function failureOf(error: unknown): Failure {
  if (isGone(error) || isResourceVersionTooLarge(error)) return { kind: "expired" };
  if (error instanceof ApiError) {
    const kind = error.code === 429 || error.code >= 500 ? "unavailable" : "rejected";
    return error.retryAfterMs === undefined ? { kind } : { kind, retryAfterMs: error.retryAfterMs };
  }
  if (error instanceof TransportError || error instanceof CredentialsError) return { kind: "unavailable" };
  return { kind: "rejected" };
}

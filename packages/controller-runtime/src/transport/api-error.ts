import type { KubeStatus } from "../kubernetes/objects.ts";

/** What was asked, in RBAC's words: for messages and metrics, never for control flow. */
export interface RequestDescription {
  /** `get`, `list`, `watch`, `create`, `update`, `patch`, `apply`, `delete`, or a raw HTTP method. */
  verb: string;
  /** `pods`, `deployments.apps`, `shieldpolicies.shieldx.io/status`, or the path of a raw request. */
  resource: string;
  name?: string;
  namespace?: string;
}

/** `create configmaps default/settings` */
export function describeRequest(request: RequestDescription): string {
  const { verb, resource, name, namespace } = request;
  if (name === undefined || name === "") {
    return namespace === undefined ? `${verb} ${resource}` : `${verb} ${resource} in namespace ${namespace}`;
  }
  return `${verb} ${resource} ${namespace === undefined ? name : `${namespace}/${name}`}`;
}

/**
 * Thrown when the API server answered, and the answer was a refusal (any status of 400 and above, or an ERROR
 * event in a watch). `reason` is the server's machine-readable word (`NotFound`, `Conflict`, `Expired`, …).
 */
export class ApiError extends Error {
  override readonly name: string = "ApiError";
  /** HTTP status code. */
  readonly code: number;
  /** `metav1.StatusReason`; derived from the code where the server sent no Status (a proxy in between, say). */
  readonly reason: string;
  /** How long the server asks to wait, milliseconds. */
  readonly retryAfterMs?: number;
  readonly details?: KubeStatus["details"];
  readonly status: KubeStatus;
  readonly request: RequestDescription;

  constructor(request: RequestDescription, code: number, status: KubeStatus, retryAfterMs?: number) {
    const reason = status.reason ?? reasonOfCode(code);
    super(`${describeRequest(request)}: ${status.message ?? "no message"} (${code} ${reason})`);
    this.code = code;
    this.reason = reason;
    this.status = status;
    this.request = request;
    const wait = retryAfterMs ?? secondsToMs(status.details?.retryAfterSeconds);
    if (wait !== undefined) this.retryAfterMs = wait;
    if (status.details !== undefined) this.details = status.details;
  }
}

/**
 * Thrown when there was no usable answer: connection refused or reset, TLS failure, timeout, an answer that is
 * not what the API server speaks, or one larger than the limit. `code` is stable; `cause` holds what happened.
 */
export class TransportError extends Error {
  override readonly name: string = "TransportError";
  readonly code: TransportErrorCode;
  readonly request: RequestDescription;

  constructor(code: TransportErrorCode, request: RequestDescription, message: string, cause?: unknown) {
    super(`${describeRequest(request)}: ${message}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.request = request;
  }
}

export type TransportErrorCode =
  | "ConnectionFailed"
  | "TlsFailed"
  | "Timeout"
  | "ResponseTooLarge"
  | "MalformedResponse"
  | "Closed";

const reasons: Readonly<Record<number, string>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  405: "MethodNotAllowed",
  406: "NotAcceptable",
  409: "Conflict",
  410: "Gone",
  413: "RequestEntityTooLarge",
  415: "UnsupportedMediaType",
  422: "Invalid",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
  504: "Timeout",
};

function reasonOfCode(code: number): string {
  return reasons[code] ?? "Unknown";
}

function secondsToMs(seconds: number | undefined): number | undefined {
  return typeof seconds === "number" && seconds > 0 ? seconds * 1000 : undefined;
}

/** Milliseconds of a `Retry-After` header (RFC 9110 §10.2.3): seconds, or an HTTP date relative to `nowMs`. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

function hasReason(error: unknown, code: number, ...reasonsOfIt: string[]): error is ApiError {
  return (
    error instanceof ApiError &&
    (reasonsOfIt.length === 0 ? error.code === code : reasonsOfIt.includes(error.reason))
  );
}

export const isNotFound = (error: unknown): error is ApiError => hasReason(error, 404);
export const isAlreadyExists = (error: unknown): error is ApiError => hasReason(error, 409, "AlreadyExists");
/** An optimistic lock failed, or server-side apply met a field another manager owns. */
export const isConflict = (error: unknown): error is ApiError => hasReason(error, 409, "Conflict");
/** The resourceVersion or continue token is older than what the server keeps: list again. */
export const isGone = (error: unknown): error is ApiError => hasReason(error, 410);
export const isForbidden = (error: unknown): error is ApiError => hasReason(error, 403);
export const isUnauthorized = (error: unknown): error is ApiError => hasReason(error, 401);
export const isInvalid = (error: unknown): error is ApiError => hasReason(error, 422);
export const isTooManyRequests = (error: unknown): error is ApiError => hasReason(error, 429);
export const isRequestTooLarge = (error: unknown): error is ApiError => hasReason(error, 413);
/** The server is there but cannot answer now: trying again later is right. */
export const isServerUnavailable = (error: unknown): error is ApiError =>
  error instanceof ApiError && (error.code === 429 || error.code >= 500);
/** The server has not yet reached the resourceVersion asked for (its etcd was restored, or its cache lags). */
export const isResourceVersionTooLarge = (error: unknown): error is ApiError =>
  error instanceof ApiError &&
  (error.details?.causes ?? []).some((cause) => cause.reason === "ResourceVersionTooLarge");
/** Whether the namespace the request was for is being deleted: creating in it will never succeed. */
export const isNamespaceTerminating = (error: unknown): error is ApiError =>
  error instanceof ApiError &&
  (error.details?.causes ?? []).some((cause) => cause.reason === "NamespaceTerminating");

/** Every way a request is turned away before a policy sees it. The message goes to whoever sent it. */
export type HttpErrorCode =
  | "NotFound"
  | "MethodNotAllowed"
  | "UnsupportedMediaType"
  | "RequestEntityTooLarge"
  | "BadRequest"
  | "UnknownReviewVersion"
  | "Timeout"
  | "Overloaded";

const statusOf: Readonly<Record<HttpErrorCode, number>> = {
  NotFound: 404,
  MethodNotAllowed: 405,
  UnsupportedMediaType: 415,
  RequestEntityTooLarge: 413,
  BadRequest: 400,
  UnknownReviewVersion: 422,
  Timeout: 408,
  Overloaded: 503,
};

/** Thrown while a request is read; the server answers it with a `metav1.Status`, which API servers show to people. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly code: HttpErrorCode;
  readonly status: number;
  /** The rest of the request may still be on its way: answer, then give the connection up. */
  readonly mustClose: boolean;
  /** What has been read of the body, from its beginning, where it was not read, or taken apart, to its end. */
  head: Uint8Array | undefined;

  constructor(code: HttpErrorCode, message: string, options?: { cause?: unknown; mustClose?: boolean }) {
    super(message, options);
    this.code = code;
    this.status = statusOf[code];
    this.mustClose = options?.mustClose ?? false;
  }
}

/** The answer's body for a refused request, as the API machinery reads it. */
export function statusBody(code: number, reason: string, message: string): string {
  return JSON.stringify({ kind: "Status", apiVersion: "v1", status: "Failure", message, reason, code });
}

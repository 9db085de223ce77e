import { HttpError } from "../server/http-error.ts";
import type { HttpAnswer } from "../server/http-routes.ts";

/** OPA's codes (v1/server/types), as its clients compare them. */
export type OpaCode =
  | "internal_error"
  | "invalid_operation"
  | "invalid_parameter"
  | "resource_not_found"
  | "unauthorized"
  | "undefined_document";

/** Thrown while a question is read or judged; answered in OPA's shape. The message goes to whoever asked. */
export class OpaError extends Error {
  override readonly name = "OpaError";
  readonly status: number;
  readonly code: OpaCode;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: OpaCode,
    message: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** `{code, message, errors}`, indented as OPA does. */
export function errorAnswer(error: OpaError, errors: readonly object[] = []): HttpAnswer {
  const { status, code, message, headers } = error;
  const body = { code, message, ...(errors.length === 0 ? {} : { errors }) };
  return { status, headers, body: `${JSON.stringify(body, null, 2)}\n` };
}

/** What the server is to say of whatever was thrown. */
export function answerOfFailure(error: unknown): HttpAnswer {
  if (error instanceof OpaError) return errorAnswer(error);
  if (error instanceof HttpError) {
    const code = error.status < 500 ? "invalid_parameter" : "internal_error";
    const headers: Record<string, string> = error.status === 503 ? { "retry-after": "1" } : {};
    return errorAnswer(new OpaError(error.status, code, error.message, headers));
  }
  return errorAnswer(new OpaError(500, "internal_error", "internal error; see the webhook's log"));
}

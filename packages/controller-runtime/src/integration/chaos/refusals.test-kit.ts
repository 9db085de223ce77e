import type { Fault } from "./fault-schedule.test-kit.ts";

export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What a server, or something in front of it, answers instead of opening a list or watch. */
export function refusalOf(fault: Fault): Refusal {
  switch (fault.kind) {
    case "410 on open":
      return status(410, expired);
    case "429 Retry-After":
      return fault.variant < 0.5
        ? plain(429, "Too many requests, please try again later.", { "retry-after": "1" })
        : status(
            429,
            { ...failure(429, "TooManyRequests", "the server has received too many requests") },
            { "retry-after": "1" },
          );
    case "500":
      return fault.variant < 0.5
        ? plain(500, "<html>Internal Server Error</html>")
        : status(500, failure(500, "InternalError", "Internal error occurred: etcdserver: leader changed"));
    case "503":
      return fault.variant < 0.5
        ? plain(503, "no healthy upstream")
        : status(503, failure(503, "ServiceUnavailable", "apiserver not ready"), { "retry-after": "1" });
    default:
      throw new Error(`${fault.kind} is not an answer`);
  }
}

function failure(code: number, reason: string, message: string): object {
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code };
}

export const expired = failure(410, "Expired", "too old resource version: 1 (2)");

function status(code: number, body: object, headers: Record<string, string> = {}): Refusal {
  return {
    status: code,
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  };
}

function plain(code: number, body: string, headers: Record<string, string> = {}): Refusal {
  return { status: code, headers: { "content-type": "text/plain", ...headers }, body };
}

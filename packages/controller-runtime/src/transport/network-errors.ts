import { ApiError, type RequestDescription, TransportError, type TransportErrorCode } from "./api-error.ts";

/** Codes of a connection that broke before an answer: safe to try again for idempotent requests. */
const lostConnection = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"]);

/** Whether the connection broke under a request (a keep-alive connection the server had closed, mostly). */
export function isLostConnection(error: unknown): boolean {
  return error instanceof TransportError && lostConnection.has(codeOf(error.cause));
}

/** Turns what undici and Node throw into a {@link TransportError} that says what to do. */
export function asTransportError(error: unknown, request: RequestDescription): Error {
  if (error instanceof TransportError || error instanceof ApiError) return error;
  const code = codeOf(error);
  const [kind, message] = classify(error, code);
  return new TransportError(kind, request, message, error);
}

function classify(error: unknown, code: string): [TransportErrorCode, string] {
  const text = messageOf(error);
  if (nameOf(error) === "DeadlineExceeded") return ["Timeout", text];
  if (code === "UND_ERR_CONNECT_TIMEOUT") return ["Timeout", `could not connect in time (${text})`];
  if (code === "UND_ERR_RES_EXCEEDED_MAX_SIZE") {
    return ["ResponseTooLarge", "the answer is larger than maxResponseBytes; list with a smaller limit"];
  }
  if (code === "UND_ERR_DESTROYED" || code === "UND_ERR_CLOSED") return ["Closed", "the client is closed"];
  if (tlsHints[code] !== undefined) return ["TlsFailed", `TLS: ${text}; ${tlsHints[code]}`];
  if (code.startsWith("ERR_SSL") || code.startsWith("ERR_TLS")) return ["TlsFailed", `TLS: ${text}`];
  if (code.startsWith("HPE_")) return ["MalformedResponse", `the answer is not HTTP (${text})`];
  return [
    "ConnectionFailed",
    connectionHints[code] === undefined ? text : `${text}; ${connectionHints[code]}`,
  ];
}

const tlsHints: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: "the server's certificate is not signed by the configured CA",
  SELF_SIGNED_CERT_IN_CHAIN: "the server's certificate is not signed by the configured CA",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the server's certificate is not signed by the configured CA",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "the server's certificate is not signed by the configured CA",
  CERT_SIGNATURE_FAILURE: "the server's certificate is not signed by the configured CA",
  CERT_HAS_EXPIRED: "renew the server's certificate or check this machine's clock",
  CERT_NOT_YET_VALID: "check this machine's clock",
  ERR_TLS_CERT_ALTNAME_INVALID: "use a URL the certificate names, or set tls-server-name",
};

const connectionHints: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there: is the API server up and the address right?",
  ENOTFOUND: "the host name does not resolve",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "no route to the network",
};

function codeOf(error: unknown): string {
  const own = (error as { code?: unknown } | null | undefined)?.code;
  if (typeof own === "string") return own;
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  return first === undefined ? "" : codeOf(first);
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "";
}

function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map(messageOf).join(", ");
  return error instanceof Error ? error.message : String(error);
}

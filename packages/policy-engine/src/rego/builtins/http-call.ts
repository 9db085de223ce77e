/**
 * A request object of `http.send` as a call, checked (OPA's v1/topdown/http.go). What would read files or the environment,
 * or weaken TLS, is refused; so is a host that the policy does not list.
 */
import type { CallTls, HttpCall } from "../calls/call.ts";
import { type AllowedHost, hostOf, isAllowed, shownHost } from "../calls/hosts.ts";
import { type AnyObject, canonicalKey, entriesOf, getKey, isNumber, isObject } from "../values.ts";
import { bytesOf } from "./go/bytes.ts";
import { DurationError, parseDuration } from "./go/duration.ts";
import { jsonText } from "./go/json-text.ts";
import { failure } from "./operands.ts";

const defaultTimeoutMs = 5_000;
const longestUrl = 8_192;
/** What is sent out; what comes back may be as large. */
const mostBodyBytes = 1_048_576;
const mostHeaders = 64;

const LOCAL_SOURCES = ["tls_ca_cert", "tls_client_cert", "tls_client_key"].flatMap((name) => [
  `${name}_file`,
  `${name}_env_variable`,
]);

/** Of the connection, not of the request (RFC 9110, 7.6.1). */
const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  ...["connection", "keep-alive", "proxy-connection", "te", "upgrade", "expect"],
  ...["proxy-authorization", "proxy-authenticate"],
]);
/** Made of the body; Go's client leaves out what a caller gives, too. */
const MADE_HEADERS: ReadonlySet<string> = new Set(["content-length", "transfer-encoding", "trailer"]);

/** A token (RFC 9110, 5.6.2). */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}$/;
/** A field's value as it goes over the wire (RFC 9110, 5.5). */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** @throws BuiltinError naming the member that cannot be used */
export function httpCallOf(request: AnyObject, hosts: readonly AllowedHost[]): HttpCall {
  refuseUnsupported(request);
  const url = urlOf(request, hosts);
  return {
    kind: "http",
    key: canonicalKey([hosts.map(shownHost), request]),
    method: methodOf(request),
    url,
    headers: headersOf(request, url, hosts),
    body: bodyOf(request),
    timeoutMs: timeoutOf(request),
    followsRedirects: flag(request, "enable_redirect"),
    tls: tlsOf(request),
    keep: keepOf(request),
    hosts,
  };
}

function refuseUnsupported(request: AnyObject): void {
  const local = LOCAL_SOURCES.find((name) => getKey(request, name) !== undefined);
  if (local !== undefined)
    throw failure(
      `${local} is refused: a policy reads no files and no environment here; give the PEM itself`,
    );
  if (flag(request, "tls_insecure_skip_verify"))
    throw failure("tls_insecure_skip_verify is refused: give the host's authority as tls_ca_cert");
  const attempts = getKey(request, "max_retry_attempts");
  if (attempts !== undefined && attempts !== 0)
    throw failure("max_retry_attempts is not supported: a request waits for no second attempt; leave it out");
}

function urlOf(request: AnyObject, hosts: readonly AllowedHost[]): URL {
  const text = textMember(request, "url") ?? "";
  const url = text.length > longestUrl ? null : URL.parse(text);
  if (url === null)
    throw failure(`url is no URL with a scheme and a host, of at most ${longestUrl} characters`);
  if (url.protocol !== "https:" && url.protocol !== "http:")
    throw failure(`url begins with ${url.protocol} which is neither https: nor http:`);
  if (url.username !== "" || url.password !== "")
    throw failure("url has a user or password in it: give a header Authorization");
  if (!isAllowed(url, hosts)) throw failure(unallowed(url));
  url.hash = "";
  return url;
}

export function unallowed(url: URL): string {
  return `unallowed host ${shownHost(hostOf(url))}: list it in spec.rego.allowedHosts`;
}

function methodOf(request: AnyObject): string {
  const method = (textMember(request, "method") ?? "").toUpperCase();
  if (!/^[A-Z]{1,32}$/.test(method) || method === "CONNECT" || method === "TRACE")
    throw failure("method must be a method of HTTP such as GET or POST");
  return method;
}

function headersOf(request: AnyObject, url: URL, hosts: readonly AllowedHost[]): [string, string][] {
  const headers = getKey(request, "headers");
  if (headers === undefined) return [];
  if (!isObject(headers)) throw failure("headers must be an object");
  const found = new Map<string, string>();
  for (const [name, value] of entriesOf(headers)) {
    if (typeof name !== "string" || !TOKEN.test(name))
      throw failure("headers has a name that no header can have");
    const key = name.toLowerCase();
    if (typeof value !== "string" || !FIELD_VALUE.test(value))
      throw failure(`headers.${name} must be a string of one line, in Latin-1`);
    if (CONNECTION_HEADERS.has(key)) throw failure(`headers.${name} is refused: it is about the connection`);
    if (key === "host") refuseOtherHost(value, url, hosts);
    if (!MADE_HEADERS.has(key)) found.set(key, value);
    if (found.size > mostHeaders) throw failure(`headers has more than ${mostHeaders} entries`);
  }
  return [...found];
}

/** One address serves many sites: to name another is to reach it. */
function refuseOtherHost(value: string, { protocol }: URL, hosts: readonly AllowedHost[]): void {
  const named = /[/?#@\\]/.test(value) ? null : URL.parse(`${protocol}//${value}`);
  if (named === null || !isAllowed(named, hosts))
    throw failure("headers.Host names another host than spec.rego.allowedHosts lists");
}

function bodyOf(request: AnyObject): Uint8Array | undefined {
  const raw = textMember(request, "raw_body");
  const body = getKey(request, "body");
  if (raw === undefined && body === undefined) return undefined;
  const bytes = bytesOf(raw ?? jsonText(body ?? null));
  if (bytes.length > mostBodyBytes) throw failure(`the body has more than ${mostBodyBytes} bytes`);
  return bytes;
}

function tlsOf(request: AnyObject): CallTls {
  const certificate = textMember(request, "tls_client_cert");
  const key = textMember(request, "tls_client_key");
  if ((certificate === undefined) !== (key === undefined))
    throw failure("tls_client_cert and tls_client_key go together: give both or neither");
  return {
    // As OPA, for texts that come out of an environment.
    ca: textMember(request, "tls_ca_cert")?.replaceAll("\\n", "\n"),
    withSystemCa: flag(request, "tls_use_system_certs"),
    certificate,
    key,
    serverName: textMember(request, "tls_server_name"),
  };
}

function timeoutOf(request: AnyObject): number {
  const value = getKey(request, "timeout");
  if (value === undefined) return defaultTimeoutMs;
  const ms = isNumber(value) ? Number(value) / 1e6 : typeof value === "string" ? durationMs(value) : 0;
  // In Go no time at all would be no limit.
  if (!(ms > 0)) throw failure("timeout must be a duration such as 2s, or a number of nanoseconds, above 0");
  return Math.min(ms, 60_000);
}

function durationMs(text: string): number {
  try {
    return Number(parseDuration(text)) / 1e6;
  } catch (error) {
    throw error instanceof DurationError ? failure(`timeout: ${error.message}`, error) : error;
  }
}

/** `caching_mode` and `cache_ignored_headers` say how to keep answers, which is ours to choose. */
function keepOf(request: AnyObject): HttpCall["keep"] {
  if (!flag(request, "force_cache")) return flag(request, "cache") ? "as told" : undefined;
  const seconds = getKey(request, "force_cache_duration_seconds");
  if (seconds === undefined || !isNumber(seconds))
    throw failure("'force_cache' set but 'force_cache_duration_seconds' parameter is missing");
  return { ms: Math.max(0, Number(seconds) * 1_000) };
}

export function flag(request: AnyObject, name: string): boolean {
  const value = getKey(request, name);
  if (value === undefined) return false;
  if (typeof value !== "boolean") throw failure(`${name} must be true or false`);
  return value;
}

function textMember(request: AnyObject, name: string): string | undefined {
  const value = getKey(request, name);
  if (value === undefined) return undefined;
  if (typeof value !== "string") throw failure(`"${name}" must be a string`);
  return value;
}

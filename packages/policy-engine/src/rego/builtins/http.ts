/**
 * `http.send` (OPA's v1/topdown/http.go), which reaches nothing by itself: the caller of a query brings the
 * transport and the hosts. What would read files or the environment for TLS is refused.
 */
import {
  type AnyObject,
  canonicalKey,
  entriesOf,
  getKey,
  isNumber,
  isObject,
  type RegoValue,
} from "../values.ts";
import {
  type Builtin,
  type BuiltinContext,
  BuiltinError,
  type HttpRequest,
  type HttpResponse,
} from "./contract.ts";
import { bytesOf, textOf } from "./go/bytes.ts";
import { DurationError, parseDuration } from "./go/duration.ts";
import { JsonSyntaxError, parseJson } from "./go/json-parse.ts";
import { jsonText } from "./go/json-text.ts";
import { parseUrl, splitHostPort, UrlError } from "./go/url.ts";
import { requestOperand } from "./http-request.ts";
import { builtin, failure, operandError } from "./operands.ts";
import { parseYaml } from "./yaml.ts";

const defaultTimeoutMs = 5_000;

const LOCAL_SOURCES = ["tls_ca_cert", "tls_client_cert", "tls_client_key"].flatMap((name) => [
  `${name}_file`,
  `${name}_env_variable`,
]);

function textMember(request: AnyObject, name: string): string {
  const value = getKey(request, name);
  if (typeof value !== "string") {
    throw operandError(1, `"${name}" must be a string`);
  }
  return value;
}

function timeoutMs(request: AnyObject): number {
  const value = getKey(request, "timeout");
  if (value === undefined) {
    return defaultTimeoutMs;
  }
  if (isNumber(value)) {
    return Math.max(0, Number(value) / 1e6);
  }
  if (typeof value !== "string") {
    throw operandError(1, "'timeout' must be one of {string, number}");
  }
  try {
    return Math.max(0, Number(parseDuration(value)) / 1e6);
  } catch (error) {
    throw error instanceof DurationError ? failure(error.message, error) : error;
  }
}

function headersOf(request: AnyObject): Readonly<Record<string, string>> {
  const headers = getKey(request, "headers");
  const found: [string, string][] = [];
  if (headers !== undefined && isObject(headers)) {
    for (const [name, value] of entriesOf(headers)) {
      if (typeof name !== "string" || typeof value !== "string") {
        throw operandError(1, "headers must be strings");
      }
      found.push([name, value]);
    }
  }
  return Object.fromEntries(found);
}

function bodyOf(request: AnyObject): Uint8Array | undefined {
  const raw = getKey(request, "raw_body");
  if (raw !== undefined) {
    if (typeof raw !== "string") {
      throw operandError(1, "raw_body must be a string");
    }
    return bytesOf(raw);
  }
  const body = getKey(request, "body");
  return body === undefined ? undefined : bytesOf(jsonText(body));
}

function refuseHost(url: string, allowed: readonly string[]): void {
  let host: string;
  try {
    const parsed = parseUrl(url);
    if (parsed.scheme !== "http" && parsed.scheme !== "https") {
      throw failure(`the scheme of ${url} is neither http nor https`);
    }
    [host] = splitHostPort(parsed.host);
  } catch (error) {
    throw error instanceof UrlError ? failure(error.message, error) : error;
  }
  if (!allowed.includes(host)) {
    throw failure(`unallowed host: ${host}`);
  }
}

function requestOf(request: AnyObject, allowed: readonly string[]): HttpRequest {
  const local = LOCAL_SOURCES.find((name) => getKey(request, name) !== undefined);
  if (local !== undefined) {
    throw failure(`${local} is refused: a policy reads no files and no environment here`);
  }
  const url = textMember(request, "url");
  refuseHost(url, allowed);
  const body = bodyOf(request);
  return {
    method: textMember(request, "method").toUpperCase(),
    url,
    headers: headersOf(request),
    ...(body === undefined ? {} : { body }),
    timeoutMs: timeoutMs(request),
    options: request,
  };
}

/** A body that cannot be decoded is null, not an error. */
function decodedBody(text: string, request: AnyObject, contentTypes: readonly string[]): RegoValue {
  const isType = (...types: string[]) =>
    contentTypes.some((given) => types.some((type) => given.includes(type)));
  try {
    if (getKey(request, "force_json_decode") === true || isType("application/json", "+json")) {
      return parseJson(text);
    }
    const asYaml =
      getKey(request, "force_yaml_decode") === true || isType("application/yaml", "application/x-yaml");
    return asYaml ? parseYaml(text) : null;
  } catch (error) {
    if (error instanceof JsonSyntaxError || error instanceof BuiltinError) {
      return null;
    }
    throw error;
  }
}

function responseValue(response: HttpResponse, request: AnyObject): RegoValue {
  const text = textOf(response.body);
  const headers = Object.entries(response.headers).map(
    ([name, values]) => [name.toLowerCase(), values] as const,
  );
  const contentTypes = headers.find(([name]) => name === "content-type")?.[1] ?? [];
  return {
    status: response.status,
    status_code: response.statusCode,
    body: decodedBody(text, request, contentTypes),
    raw_body: text,
    headers: Object.fromEntries(headers),
  };
}

function send(args: readonly RegoValue[], context: BuiltinContext): RegoValue {
  const given = requestOperand(args, 1);
  if (context.http === undefined) {
    throw failure("this policy is not allowed to reach any host");
  }
  const key = `http.send:${canonicalKey(given)}`;
  const known = context.queryCache.get(key);
  if (known !== undefined) {
    return known as RegoValue;
  }
  const request = requestOf(given, context.allowedHosts);
  let result: RegoValue;
  try {
    result = responseValue(context.http(request), given);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (getKey(given, "raise_error") !== false) {
      throw failure(message, error);
    }
    result = { status_code: 0, error: { code: "eval_http_send_network_error", message } };
  }
  context.queryCache.set(key, result);
  return result;
}

export const httpBuiltins: readonly Builtin[] = [builtin("http.send", 1, send)];

/**
 * `http.send` (OPA's v1/topdown/http.go), which reaches nothing by itself: whoever asks brings the outcomes of calls, and a
 * query that needs one which is not there stops and says so.
 */
import type { CallOutcome, HttpResponse } from "../calls/call.ts";
import { type AnyObject, getKey, type RegoValue } from "../values.ts";
import { AwaitsOutcome, type Builtin, type BuiltinContext, BuiltinError, CallError } from "./contract.ts";
import { textOf } from "./go/bytes.ts";
import { JsonSyntaxError, parseJson } from "./go/json-parse.ts";
import { flag, httpCallOf } from "./http-call.ts";
import { requestOperand } from "./http-request.ts";
import { builtin, failure, objectOperand } from "./operands.ts";
import { readYaml } from "./yaml.ts";

/** What `raise_error: false` gives a policy instead of an end (HTTPSendNetworkErr and its sibling). */
type ErrorCode = "eval_http_send_network_error" | "eval_http_send_internal_error";

const NO_HOSTS = "this policy reaches no host: list those it may call in spec.rego.allowedHosts";

function send(args: readonly RegoValue[], context: BuiltinContext): RegoValue {
  let raises = true;
  try {
    raises = raisesErrors(objectOperand(args, 1));
    const request = requestOperand(args, 1);
    if (context.http === undefined) throw new CallError(NO_HOSTS);
    const call = httpCallOf(request, context.http.hosts);
    const outcome = context.http.lookUp(call);
    if (outcome === undefined) throw new AwaitsOutcome(call);
    return outcomeValue(outcome, request, raises, context);
  } catch (error) {
    if (!(error instanceof BuiltinError)) throw error;
    return failed("eval_http_send_internal_error", error.message, raises, error);
  }
}

function raisesErrors(request: AnyObject): boolean {
  const value = getKey(request, "raise_error");
  if (value !== undefined && typeof value !== "boolean") throw failure("invalid value for raise_error field");
  return value ?? true;
}

function outcomeValue(
  outcome: CallOutcome,
  request: AnyObject,
  raises: boolean,
  context: BuiltinContext,
): RegoValue {
  switch (outcome.kind) {
    case "answered":
      return responseValue(outcome.response, request, context);
    case "failed":
      return failed("eval_http_send_network_error", outcome.message, raises);
    case "refused":
      throw new CallError(outcome.message, { mayPass: outcome.mayPass });
    default:
      return outcome satisfies never;
  }
}

function failed(code: ErrorCode, message: string, raises: boolean, cause?: unknown): RegoValue {
  if (raises) {
    const mayPass = code === "eval_http_send_network_error";
    const as = cause instanceof BuiltinError ? { code: cause.code } : {};
    throw new CallError(message, { cause, mayPass, ...as });
  }
  return { status_code: 0, error: { code, message } };
}

function responseValue(
  { status, statusCode, headers, body }: HttpResponse,
  request: AnyObject,
  { spend }: BuiltinContext,
): RegoValue {
  spend(Math.ceil(body.length / 16));
  const text = textOf(body);
  return {
    status,
    status_code: statusCode,
    body: decodedBody(text, request, headers.get("content-type")?.[0] ?? ""),
    raw_body: text,
    headers: Object.fromEntries(headers),
  };
}

/** A body that cannot be decoded is null, not an error. */
function decodedBody(text: string, request: AnyObject, contentType: string): RegoValue {
  const isJson = flag(request, "force_json_decode") || isJsonType(contentType);
  const isYaml =
    flag(request, "force_yaml_decode") ||
    contentType.includes("application/yaml") ||
    contentType.includes("application/x-yaml");
  if (!isJson && !isYaml) return null;
  try {
    return isJson ? parseJson(text) : readYaml(text);
  } catch (error) {
    if (error instanceof JsonSyntaxError || error instanceof BuiltinError) return null;
    throw error;
  }
}

function isJsonType(contentType: string): boolean {
  const type = (contentType.split(";", 1)[0] ?? "").trim().toLowerCase();
  return type === "application/json" || (type.startsWith("application/") && type.endsWith("+json"));
}

export const httpBuiltins: readonly Builtin[] = [builtin("http.send", 1, send)];

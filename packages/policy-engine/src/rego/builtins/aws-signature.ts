/** `providers.aws.sign_req`: AWS Signature Version 4 of a request object (OPA's v1/topdown/providers.go). */
import { createHash, createHmac } from "node:crypto";
import {
  type AnyObject,
  compareStrings,
  entriesOf,
  getKey,
  isObject,
  RegoObject,
  RegoSet,
  type RegoValue,
} from "../values.ts";
import type { Builtin } from "./contract.ts";
import { bytesOf } from "./go/bytes.ts";
import { utc } from "./go/civil-time.ts";
import { jsonText } from "./go/json-text.ts";
import { formatTime } from "./go/time-layout.ts";
import { escapedPath, type ParsedUrl, parseUrl, UrlError } from "./go/url.ts";
import { requestOperand } from "./http-request.ts";
import {
  builtin,
  failure,
  isInt64,
  numberOperand,
  objectOperand,
  operandError,
  toBigInt,
  wrongType,
} from "./operands.ts";
import { valueText } from "./value-text.ts";

const REQUIRED = ["aws_service", "aws_access_key", "aws_secret_access_key", "aws_region"] as const;

/** Headers a proxy may change, which are therefore not signed. */
const UNSIGNED: ReadonlySet<string> = new Set(["authorization", "user-agent", "x-amzn-trace-id"]);

interface Credentials {
  readonly service: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly region: string;
  readonly sessionToken: string;
  readonly signsPayload: boolean;
}

function textMember(object: AnyObject, name: string): string {
  const value = getKey(object, name);
  return typeof value === "string" ? value : "";
}

function credentialsOperand(args: readonly RegoValue[]): Credentials {
  const config = objectOperand(args, 2, 1);
  const missing = new RegoSet(REQUIRED.filter((name) => getKey(config, name) === undefined));
  if (missing.size > 0) {
    throw operandError(2, `missing required AWS config parameters(s): ${valueText(missing)}`);
  }
  const invalid = new RegoSet(REQUIRED.filter((name) => typeof getKey(config, name) !== "string"));
  if (invalid.size > 0) {
    throw operandError(2, `invalid values for required AWS config parameters(s): ${valueText(invalid)}`);
  }
  const unsigned = getKey(config, "disable_payload_signing") ?? false;
  if (typeof unsigned !== "boolean") {
    throw operandError(2, "invalid value for 'disable_payload_signing' in AWS config");
  }
  return {
    service: textMember(config, "aws_service"),
    accessKey: textMember(config, "aws_access_key"),
    secretKey: textMember(config, "aws_secret_access_key"),
    region: textMember(config, "aws_region"),
    sessionToken: textMember(config, "aws_session_token"),
    signsPayload: !unsigned,
  };
}

function timeOperand(args: readonly RegoValue[]): bigint {
  const value = toBigInt(numberOperand(args, 3, 1));
  if (value === undefined || !isInt64(value)) {
    throw operandError(3, "could not convert time_ns value into a unix timestamp");
  }
  return value;
}

function bodyOf(request: AnyObject): string {
  const raw = getKey(request, "raw_body");
  if (raw !== undefined) {
    return typeof raw === "string" ? raw : "";
  }
  const body = getKey(request, "body");
  return body === undefined ? "" : jsonText(body);
}

function headersOf(request: AnyObject): ReadonlyMap<string, string> {
  const headers = getKey(request, "headers");
  if (headers === undefined) {
    return new Map();
  }
  if (!isObject(headers)) {
    throw wrongType(0, headers, "object");
  }
  const found = new Map<string, string>();
  for (const [name, value] of entriesOf(headers)) {
    found.set(typeof name === "string" ? name : "", typeof value === "string" ? value : "");
  }
  return found;
}

const sha256 = (text: string): string => createHash("sha256").update(bytesOf(text)).digest("hex");

const mac = (key: Uint8Array, text: string): Uint8Array =>
  createHmac("sha256", key).update(bytesOf(text)).digest();

function hostOf(url: ParsedUrl): string {
  return url.host;
}

interface Signed {
  readonly authorization: string;
  readonly headers: ReadonlyMap<string, string>;
}

function signed(
  request: { readonly method: string; readonly url: ParsedUrl; readonly body: string },
  headers: ReadonlyMap<string, string>,
  credentials: Credentials,
  timeNs: bigint,
): Signed {
  const contentHash = credentials.signsPayload ? sha256(request.body) : "UNSIGNED-PAYLOAD";
  const date = formatTime(timeNs, utc, "20060102");
  const time = formatTime(timeNs, utc, "20060102T150405Z");
  const added = new Map([
    ["host", hostOf(request.url)],
    ["x-amz-date", time],
  ]);
  if (credentials.service === "s3" || credentials.service === "glacier") {
    added.set("x-amz-content-sha256", contentHash);
  }
  if (credentials.sessionToken !== "") {
    added.set("x-amz-security-token", credentials.sessionToken);
  }
  const toSign = new Map(added);
  for (const [name, value] of headers) {
    if (!UNSIGNED.has(name.toLowerCase())) {
      toSign.set(name.toLowerCase(), value);
    }
  }
  const names = [...toSign.keys()].sort(compareStrings);
  const canonical = [
    request.method,
    escapedPath(request.url),
    request.url.rawQuery,
    ...names.map((name) => `${name}:${toSign.get(name) ?? ""}`),
    "",
    names.join(";"),
    contentHash,
  ].join("\n");
  const scope = `${date}/${credentials.region}/${credentials.service}/aws4_request`;
  const text = ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n");
  let key: Uint8Array = bytesOf(`AWS4${credentials.secretKey}`);
  for (const part of [date, credentials.region, credentials.service, "aws4_request"]) {
    key = mac(key, part);
  }
  const signature = Buffer.from(mac(key, text)).toString("hex");
  const authorization = [
    `AWS4-HMAC-SHA256 Credential=${credentials.accessKey}/${scope}`,
    `SignedHeaders=${names.join(";")}`,
    `Signature=${signature}`,
  ].join(",");
  return { authorization, headers: added };
}

function parsedUrl(text: string): ParsedUrl {
  try {
    return parseUrl(text);
  } catch (error) {
    throw error instanceof UrlError ? failure(error.message, error) : error;
  }
}

function signRequest(args: readonly RegoValue[]): RegoValue {
  const given = objectOperand(args, 1);
  const credentials = credentialsOperand(args);
  const timeNs = timeOperand(args);
  const request = requestOperand(args, 1);
  const headers = headersOf(given);
  const invalid = new RegoSet(["method", "url"].filter((name) => typeof getKey(request, name) !== "string"));
  if (invalid.size > 0) {
    throw operandError(1, `invalid values for required request parameters(s): ${valueText(invalid)}`);
  }
  const parts = {
    method: textMember(request, "method"),
    url: parsedUrl(textMember(request, "url")),
    body: bodyOf(request),
  };
  const signature = signed(parts, headers, credentials, timeNs);
  const result = new RegoObject(entriesOf(request));
  result.set(
    "headers",
    new RegoObject([...headers, ["Authorization", signature.authorization], ...signature.headers]),
  );
  return result;
}

export const awsBuiltins: readonly Builtin[] = [builtin("providers.aws.sign_req", 3, signRequest)];

import {
  type AdmissionRequestLike,
  deepJsonText,
  type JsonPatchOperation,
  parseExactJson,
} from "@shieldx/policy-engine";
import { HttpError } from "./http-error.ts";
import { type JsonSize, measureJson } from "./json-depth.ts";

/** What policies look at (`admission.k8s.io/v1` AdmissionRequest). */
export type AdmissionRequest = AdmissionRequestLike;

export interface AdmissionAnswer {
  readonly allowed: boolean;
  /** Why not. `code` is the HTTP status the client gets. */
  readonly status?: { readonly code: number; readonly reason: string; readonly message: string };
  readonly warnings?: readonly string[];
  /** For the audit log. Keys without a prefix; the API server puts the webhook's name in front. */
  readonly auditAnnotations?: Readonly<Record<string, string>>;
  /** What becomes of the object (RFC 6902). Only in answer to a mutating webhook's call, and of a request that is allowed. */
  readonly patch?: readonly JsonPatchOperation[];
}

/**
 * Custom resources may nest as deep as Go's decoder follows, 10,000 levels (encoding/json maxNestingDepth); the review and
 * `managedFields` add some.
 */
const deepestNesting = 10_100;
/** More than a request of 3 MiB and a stored object hold together, of the shortest there are. */
const mostValues = 4_000_000;
/** What an API server shows of warnings before it cuts them off itself. */
const longestWarning = 256;
const longestWarnings = 4_096;
const longestAnnotation = 4_096;

/**
 * Of what others than API servers make up, and an API server takes at any length: what an identity provider calls a user, a
 * Role's name. A bound would be a way past all policies.
 */
const anyLength = Number.POSITIVE_INFINITY;

const reviewVersion = "admission.k8s.io/v1";
/**
 * As Go reads: what is no UTF-8 becomes U+FFFD. API servers pass on what a client wrote within raw JSON, as in the `data` of a
 * ControllerRevision, and a byte there must not be a way past all policies.
 */
const utf8 = new TextDecoder("utf-8");

/**
 * Reads an AdmissionReview.
 * @throws HttpError `BadRequest` for anything malformed, `UnknownReviewVersion` for another version of it,
 * `RequestEntityTooLarge` for one that would take too much to hold
 */
export function decodeAdmissionReview(
  body: Uint8Array,
  { depth, values }: JsonSize = measureJson(body),
): AdmissionRequest {
  if (body.length === 0)
    throw new HttpError("BadRequest", "the request has no body; expected an AdmissionReview");
  if (depth > deepestNesting) throw tooMuch(`nested ${depth} levels deep`, deepestNesting);
  if (values > mostValues) throw tooMuch(`${values} values`, mostValues);
  const review = parse(body);
  if (!isRecord(review)) throw malformed("the body", "an object", review);
  if (review.kind !== "AdmissionReview" || typeof review.apiVersion !== "string") {
    throw new HttpError(
      "BadRequest",
      `expected kind AdmissionReview with an apiVersion, got kind ${show(review.kind)}, apiVersion ${show(review.apiVersion)}`,
    );
  }
  if (review.apiVersion !== reviewVersion) {
    throw new HttpError(
      "UnknownReviewVersion",
      `AdmissionReview version ${show(review.apiVersion)} is not supported; set admissionReviewVersions to ["v1"]`,
    );
  }
  if (!isRecord(review.request)) throw malformed("request", "an object", review.request);
  return decodeRequest(review.request);
}

function tooMuch(what: string, most?: number): HttpError {
  const judged = most === undefined ? "to be judged" : `, at most ${most} are judged`;
  const told = `the request is ${what}${judged}; make the object smaller`;
  return new HttpError("RequestEntityTooLarge", told);
}

function parse(body: Uint8Array): unknown {
  try {
    return parseExactJson(utf8.decode(body));
  } catch (cause) {
    // Whatever else it is, the text may be good.
    if (!(cause instanceof SyntaxError)) throw tooMuch("nested too deeply ");
    // The parser quotes its input; the sender knows what it sent, and a log need not.
    throw new HttpError("BadRequest", "the body is not JSON", { cause });
  }
}

function decodeRequest(request: Record<string, unknown>): AdmissionRequest {
  const userInfo = record(request, "userInfo");
  const decoded = {
    uid: text(request, "uid", "", 256),
    kind: groupVersionKind(request, "kind"),
    requestKind:
      request.requestKind === undefined || request.requestKind === null
        ? undefined
        : groupVersionKind(request, "requestKind"),
    resource: groupVersionResource(request, "resource"),
    requestResource:
      request.requestResource === undefined || request.requestResource === null
        ? undefined
        : groupVersionResource(request, "requestResource"),
    subResource: optionalText(request, "subResource"),
    requestSubResource: optionalText(request, "requestSubResource"),
    name: optionalText(request, "name", "", anyLength),
    namespace: optionalText(request, "namespace"),
    operation: text(request, "operation", "", 16),
    userInfo: {
      username: optionalText(userInfo, "username", "userInfo.", anyLength),
      groups: texts(userInfo.groups, "userInfo.groups"),
      uid: optionalText(userInfo, "uid", "userInfo.", anyLength),
      extra: listsOfTexts(userInfo.extra, "userInfo.extra"),
    },
    object: objectOrNone(request, "object"),
    oldObject: objectOrNone(request, "oldObject"),
    dryRun: optionalBoolean(request, "dryRun"),
    options: objectOrNone(request, "options"),
  };
  return decoded;
}

function groupVersionKind(request: Record<string, unknown>, key: "kind" | "requestKind") {
  const value = record(request, key);
  const path = pathIn[key];
  return {
    group: optionalText(value, "group", path) ?? "",
    version: text(value, "version", path),
    kind: text(value, "kind", path),
  };
}

function groupVersionResource(request: Record<string, unknown>, key: "resource" | "requestResource") {
  const value = record(request, key);
  const path = pathIn[key];
  return {
    group: optionalText(value, "group", path) ?? "",
    version: text(value, "version", path),
    resource: text(value, "resource", path),
  };
}

/** What a field of them is called, up to its own name. */
const pathIn = {
  kind: "kind.",
  requestKind: "requestKind.",
  resource: "resource.",
  requestResource: "requestResource.",
} as const;

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function record(request: Record<string, unknown>, key: string): Record<string, unknown> {
  const value = request[key];
  if (!isRecord(value)) throw malformed(`request.${key}`, "an object", value);
  return value;
}

/** @param path of the parent in the request, with a full stop behind it */
function text(parent: Record<string, unknown>, key: string, path = "", longest = 1_024): string {
  const value = parent[key];
  if (typeof value !== "string" || value === "")
    throw malformed(`request.${path}${key}`, "a non-empty string", value);
  if (value.length > longest) {
    throw new HttpError("BadRequest", `request.${path}${key} is longer than ${longest} characters`);
  }
  return value;
}

function optionalText(
  parent: Record<string, unknown>,
  key: string,
  path = "",
  longest = 4_096,
): string | undefined {
  const value = parent[key];
  if (value === undefined || value === null || value === "") return undefined;
  return text(parent, key, path, longest);
}

function texts(value: unknown, path: string): readonly string[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) {
    throw malformed(`request.${path}`, "a list of strings", value);
  }
  return value;
}

function listsOfTexts(value: unknown, path: string): Readonly<Record<string, readonly string[]>> | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isRecord(value)) throw malformed(`request.${path}`, "an object", value);
  for (const [key, list] of Object.entries(value)) texts(list, `${path}[${show(key)}]`);
  return value as Record<string, readonly string[]>;
}

function optionalBoolean(parent: Record<string, unknown>, path: string): boolean | undefined {
  const value = parent[path];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "boolean") throw malformed(`request.${path}`, "true or false", value);
  return value;
}

/** The API server sends null for what an operation does not have. */
function objectOrNone(parent: Record<string, unknown>, path: string): Record<string, unknown> | undefined {
  const value = parent[path];
  if (value === undefined || value === null) return undefined;
  if (!isRecord(value)) throw malformed(`request.${path}`, "an object", value);
  return value;
}

function malformed(path: string, expected: string, value: unknown): HttpError {
  return new HttpError(
    "BadRequest",
    `the AdmissionReview is malformed: ${path} must be ${expected}, is ${show(value)}`,
  );
}

function show(value: unknown): string {
  if (value === undefined) return "missing";
  if (typeof value === "string") return JSON.stringify(value.slice(0, 64));
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

/** The AdmissionReview that answers request `uid`. */
export function encodeAdmissionAnswer(uid: string, answer: AdmissionAnswer): string {
  const warnings = fitWarnings(answer.warnings ?? []);
  const annotations = Object.entries(answer.auditAnnotations ?? {});
  return JSON.stringify({
    apiVersion: reviewVersion,
    kind: "AdmissionReview",
    response: {
      uid,
      allowed: answer.allowed,
      ...(answer.status === undefined ? {} : { status: { status: "Failure", ...answer.status } }),
      ...(answer.patch === undefined
        ? {}
        : { patchType: "JSONPatch", patch: Buffer.from(deepJsonText(answer.patch)).toString("base64") }),
      ...(warnings.length === 0 ? {} : { warnings }),
      ...(annotations.length === 0
        ? {}
        : {
            auditAnnotations: Object.fromEntries(
              annotations.map(([key, value]) => [key, cut(value, longestAnnotation)]),
            ),
          }),
    },
  });
}

/** As many warnings as an API server passes on: at most 256 characters each, 4,096 together, one line each. */
function fitWarnings(warnings: readonly string[]): string[] {
  const fitting: string[] = [];
  let total = 0;
  for (const [index, warning] of warnings.entries()) {
    const line = cut(warning.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, " "), longestWarning);
    const left = warnings.length - index;
    const more = `and ${left} more warnings`;
    const isLast = left === 1;
    if (total + line.length + (isLast ? 0 : more.length) > longestWarnings) {
      fitting.push(more);
      break;
    }
    fitting.push(line);
    total += line.length;
  }
  return fitting;
}

function cut(value: string, longest: number): string {
  if (value.length <= longest) return value;
  // A surrogate pair cut in half would not be text any more.
  return `${value.slice(0, longest - 1).toWellFormed()}…`;
}

/** Requests that tests of others make of objects, and of recorded reviews. */
import { at, isPlain, type Plain, textAt } from "../foreign/plain.ts";
import { createRequest } from "../offline/context.ts";
import { type DefinedResources, pluralOf } from "../offline/resource-of.ts";
import { nameOf } from "../policy-set/exceptions.ts";
import type { AdmissionRequestLike } from "../policy-set/request.ts";
import { DEFAULT_NAMESPACE } from "./held.ts";

export function isAdmissionReview(object: unknown): boolean {
  return (
    textAt(object, "kind") === "AdmissionReview" &&
    textAt(object, "apiVersion")?.startsWith("admission.k8s.io/") === true
  );
}

/** What is asked of the object, or of the request it records. A text says why it cannot be. */
export function requestFor(object: unknown, defined: DefinedResources): AdmissionRequestLike | string {
  if (isAdmissionReview(object)) return requestOfReview(object);
  return createRequest(object, defined, DEFAULT_NAMESPACE) ?? "the object lacks apiVersion or kind: add them";
}

/** Recorded by hand mostly, so that whatever follows from the object may be missing. */
function requestOfReview(review: unknown): AdmissionRequestLike | string {
  const request = at(review, "request");
  if (!isPlain(request)) return "the AdmissionReview holds no request: add it";
  const object = at(request, "object") ?? null;
  const oldObject = at(request, "oldObject") ?? null;
  const subject = object ?? oldObject;
  if (!isPlain(subject)) return "the request holds neither object nor oldObject: add one";
  if (textAt(subject, "kind") === undefined || textAt(subject, "apiVersion") === undefined)
    return "the request's object lacks apiVersion or kind: add them";
  const kind = kindOf(request, subject);
  const userInfo = at(request, "userInfo");
  return {
    uid: textAt(request, "uid") ?? "",
    kind,
    resource: resourceOf(request, kind),
    subResource: textAt(request, "subResource") ?? "",
    name: textAt(request, "name") ?? nameOf(subject),
    namespace: textAt(request, "namespace") ?? textAt(subject, "metadata", "namespace") ?? "",
    operation: textAt(request, "operation") ?? (object === null ? "DELETE" : "CREATE"),
    userInfo: isPlain(userInfo) ? userInfo : {},
    object,
    oldObject,
    dryRun: at(request, "dryRun") === true,
    options: at(request, "options") ?? null,
  };
}

function kindOf(request: Plain, subject: Plain): AdmissionRequestLike["kind"] {
  const [version = "", group = ""] = (textAt(subject, "apiVersion") ?? "").split("/").reverse();
  return {
    group: textAt(request, "kind", "group") ?? group,
    version: textAt(request, "kind", "version") ?? version,
    kind: textAt(request, "kind", "kind") ?? textAt(subject, "kind") ?? "",
  };
}

function resourceOf(request: Plain, kind: AdmissionRequestLike["kind"]): AdmissionRequestLike["resource"] {
  return {
    group: textAt(request, "resource", "group") ?? kind.group,
    version: textAt(request, "resource", "version") ?? kind.version,
    resource: textAt(request, "resource", "resource") ?? pluralOf(kind.kind),
  };
}

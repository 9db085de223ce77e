/** A request as an event of the API server's audit log has it (apiserver, pkg/apis/audit/v1, types.go). */
import { type AdmissionRequestLike, kindOfResource } from "@shieldx/policy-engine";
import * as z from "zod";
import type { Manifest } from "../manifests/read.ts";
import { userInfo } from "../user-info.ts";

const word = z.string().max(512);

const event = z.looseObject({
  stage: word.default("ResponseComplete"),
  verb: word,
  user: userInfo,
  impersonatedUser: z
    .looseObject({ username: z.string().optional(), groups: z.array(z.string()).optional() })
    .optional(),
  objectRef: z
    .looseObject({
      resource: word,
      apiGroup: word.default(""),
      apiVersion: word,
      namespace: word.optional(),
      name: word.optional(),
      subresource: word.optional(),
    })
    .optional(),
  requestObject: z.looseObject({}).optional(),
  responseObject: z.looseObject({}).optional(),
});

export function isAuditEvent({ object }: Manifest): boolean {
  return object.kind === "Event" && object.apiVersion.startsWith("audit.k8s.io/");
}

const operations: ReadonlyMap<string, string> = new Map([
  ["create", "CREATE"],
  ["update", "UPDATE"],
]);

/** The reason where it says too little: a patch is no object, and of an update the old one is not told. */
export function requestOfEvent(object: unknown): AdmissionRequestLike | string {
  const { data } = event.safeParse(object);
  if (data?.objectRef === undefined) return "requests about no object";
  const operation = operations.get(data.verb);
  if (operation === undefined)
    return data.verb === "patch" || data.verb.startsWith("delete")
      ? `audit events of ${data.verb}, which do not hold the object`
      : "requests that change nothing";
  if (data.stage !== "ResponseComplete" && data.stage !== "Panic")
    return "earlier stages of the same request";
  const { requestObject, objectRef } = data;
  if (requestObject === undefined)
    return "audit events without requestObject (level Request or RequestResponse has it)";
  const { apiGroup: group, apiVersion: version, resource, namespace, subresource } = objectRef;
  const metadata = (requestObject.metadata ?? {}) as { name?: unknown };
  const name = objectRef.name ?? (typeof metadata.name === "string" ? metadata.name : "");
  const kind = typeof requestObject.kind === "string" ? requestObject.kind : kindOfResource(group, resource);
  return {
    uid: "",
    kind: { group, version, kind },
    resource: { group, version, resource },
    subResource: subresource ?? "",
    name,
    ...(namespace === undefined ? {} : { namespace }),
    operation,
    userInfo: { ...data.user, ...data.impersonatedUser },
    object: requestObject,
    oldObject: operation === "UPDATE" ? emptied(requestObject) : null,
  };
}

/** Of an update the audit log does not have the object as it was: it is taken for one without anything but its metadata. */
function emptied({ apiVersion, kind, metadata }: Readonly<Record<string, unknown>>): object {
  return { apiVersion, kind, metadata };
}

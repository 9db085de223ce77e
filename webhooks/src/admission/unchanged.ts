import { jsonEquals } from "@shieldx/policy-engine";
import type { AdmissionRequest } from "../server/admission-review.ts";

/**
 * Whether an object of our own kinds must be let through unseen: it is being deleted, the request is about a
 * subresource, or the update leaves `spec` as it was. Whatever is stored already must stay editable and removable.
 */
export function leavesSpecAlone(request: AdmissionRequest): boolean {
  if (request.operation === "DELETE" || (request.subResource ?? "") !== "") return true;
  if (request.operation !== "UPDATE") return false;
  const [before, after] = [request.oldObject, request.object] as {
    spec?: Parameters<typeof jsonEquals>[0];
    metadata?: { deletionTimestamp?: unknown };
  }[];
  if (before?.metadata?.deletionTimestamp != null || after?.metadata?.deletionTimestamp != null) return true;
  return jsonEquals(before?.spec ?? null, after?.spec ?? null);
}

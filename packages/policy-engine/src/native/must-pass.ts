/** Requests that must get through whatever a policy says, as expressions for the API server. */
import { MOST_COMPARED, onlyShrinking, unjudgedFields, unjudgedMetadata } from "../policy-set/ending.ts";
import { namespaceCleaners } from "../policy-set/left-alone.ts";
import { celList } from "./cel-text.ts";

const otherFields =
  "[[object, oldObject], [oldObject, object]].exists(p, p[0].exists(k, " +
  `!(k in ${celList(unjudgedFields)}) && !(k in p[1] && p[0][k] == p[1][k])))`;

/** The maps as wholes first: nearly always they are the same, and however large they are that costs little. */
const moreMetadata =
  `object.metadata.exists(k, !(k in ${celList(unjudgedMetadata)}) && !(k in oldObject.metadata && ` +
  "(object.metadata[k] == oldObject.metadata[k] || " +
  `(k in ${celList(onlyShrinking)} && size(object.metadata[k]) <= ${MOST_COMPARED} && object.metadata[k].all(n, ` +
  "n in oldObject.metadata[k] && object.metadata[k][n] == oldObject.metadata[k][n])))))";

/**
 * False where an object that is being deleted changes in nothing but its status and what is in its metadata to end it:
 * finalizers must go and nobody may be trapped. What else changes is judged, for a RoleBinding or Service stays in effect
 * until it is gone, and so do the labels and annotations that others go by. As `onlyEnds`.
 */
export const notFinalizing =
  "oldObject == null || !has(oldObject.metadata.deletionTimestamp) || (object != null && " +
  `(${otherFields} || ${moreMetadata}))`;

/** False for the requests that empty a namespace being deleted. Only for operation DELETE. */
export const notNamespaceCleanup = `!(request.userInfo.username in ${celList(namespaceCleaners)})`;

/** Requests that must get through whatever a policy says, as expressions for the API server. */
import { namespaceCleaners } from "../policy-set/left-alone.ts";
import { celList } from "./cel-text.ts";

/**
 * False where an object that is being deleted changes in nothing but its metadata or status: finalizers must go and
 * nobody may be trapped. What else changes is judged, for a RoleBinding or Service stays in effect until it is gone.
 */
export const notFinalizing =
  "oldObject == null || !has(oldObject.metadata.deletionTimestamp) || (object != null && " +
  "[[object, oldObject], [oldObject, object]].exists(p, p[0].exists(k, " +
  "!(k in ['metadata', 'status']) && !(k in p[1] && p[0][k] == p[1][k]))))";

/** False for the requests that empty a namespace being deleted. Only for operation DELETE. */
export const notNamespaceCleanup = `!(request.userInfo.username in ${celList(namespaceCleaners)})`;

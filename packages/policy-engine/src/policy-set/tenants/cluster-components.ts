/**
 * What must not wait for a tenant: nodes and the cluster's own controllers keep what is there going, scale it, move it and
 * take it away. What they create for somebody (Pods of a ReplicaSet) is judged as if he had.
 */
import { celList } from "../../native/cel-text.ts";
import { metadataOf } from "../match.ts";
import type { AdmissionRequestLike } from "../request.ts";

const users: readonly string[] = [
  "system:apiserver",
  "system:kube-controller-manager",
  "system:kube-scheduler",
];
const beginnings: readonly string[] = ["system:node:", "system:serviceaccount:kube-system:"];

/** For match conditions of webhooks that are called for updates and deletions: false where a component asks. */
export const notByClusterComponent = `!(request.userInfo.username in ${celList(users)} || ${celList(beginnings)}.exists(b, request.userInfo.username.startsWith(b)))`;

function isClusterComponent(username: string): boolean {
  return users.includes(username) || beginnings.some((beginning) => username.startsWith(beginning));
}

/** Whether a request passes all policies of tenants unseen. In a namespace that is being deleted everything may go. */
export function passesTenants(
  { operation, userInfo: { username = "" } }: AdmissionRequestLike,
  namespaceObject: unknown,
): boolean {
  if (operation !== "UPDATE" && operation !== "DELETE") return false;
  return isClusterComponent(username) || (metadataOf(namespaceObject)?.deletionTimestamp ?? null) !== null;
}

import type { KubeObject } from "@shieldx/controller-runtime";

/** An object the audit judged, as far as its findings and reports need to name it. */
export interface AuditedObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Empty for what an aggregated API serves without one. */
  readonly uid: string;
  /** uid of the controller owner reference, when there is one. */
  readonly controllerUid: string | undefined;
  /** Its `Kind/name`, for who is to be told of an owner that is not judged itself. */
  readonly controller?: string;
}

/** What findings and reports need to name an object by. */
export function auditedObject(object: KubeObject): AuditedObject {
  const { name, namespace = "", uid = "", ownerReferences = [] } = object.metadata;
  const controller = ownerReferences.find((owner) => owner.controller === true);
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    namespace,
    name,
    uid,
    controllerUid: controller?.uid,
    ...(controller === undefined ? {} : { controller: `${controller.kind}/${controller.name}` }),
  };
}

/** By what the audit keeps an object apart from all others: its uid, and its names where it has none. */
export function auditKey({
  apiVersion,
  kind,
  namespace,
  name,
  uid,
}: Omit<AuditedObject, "controllerUid" | "controller">): string {
  return uid === "" ? `${apiVersion} ${kind} ${namespace}/${name}` : uid;
}

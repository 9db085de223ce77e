/**
 * The types admission expressions are checked against (apiserver pkg/admission/plugin/cel/compile.go). `object`,
 * `oldObject` and `params` are dyn: their schemas only serve warnings. The declared types of `namespaceObject` are
 * upstream's, slips included: its timestamps are strings when they are read, and its `UID` is never found.
 */
import type { ObjectTypeDeclaration } from "../library.ts";
import { BOOL, type CelType, DYN, INT, listType, mapType, STRING, structType, TIMESTAMP } from "../types.ts";

const strings = listType(STRING);

function declare(name: string, fields: Readonly<Record<string, CelType>>): ObjectTypeDeclaration {
  return { name, fields: new Map(Object.entries(fields)) };
}

const kind = declare("kubernetes.GroupVersionKind", { group: STRING, version: STRING, kind: STRING });
const resource = declare("kubernetes.GroupVersionResource", {
  group: STRING,
  version: STRING,
  resource: STRING,
});
const userInfo = declare("kubernetes.UserInfo", {
  username: STRING,
  uid: STRING,
  groups: strings,
  extra: mapType(STRING, strings),
});
const request = declare("kubernetes.AdmissionRequest", {
  kind: structType(kind.name),
  resource: structType(resource.name),
  subResource: STRING,
  requestKind: structType(kind.name),
  requestResource: structType(resource.name),
  requestSubResource: STRING,
  name: STRING,
  namespace: STRING,
  operation: STRING,
  userInfo: structType(userInfo.name),
  dryRun: BOOL,
  options: DYN,
});
const namespaceSpec = declare("kubernetes.NamespaceSpec", { finalizers: strings });
const namespaceCondition = declare("kubernetes.NamespaceCondition", {
  status: STRING,
  type: STRING,
  lastTransitionTime: TIMESTAMP,
  message: STRING,
  reason: STRING,
});
const namespaceStatus = declare("kubernetes.NamespaceStatus", {
  conditions: listType(structType(namespaceCondition.name)),
  phase: STRING,
});
const namespaceMetadata = declare("kubernetes.NamespaceMetadata", {
  name: STRING,
  generateName: STRING,
  namespace: STRING,
  labels: mapType(STRING, STRING),
  annotations: mapType(STRING, STRING),
  UID: STRING,
  creationTimestamp: TIMESTAMP,
  deletionGracePeriodSeconds: INT,
  deletionTimestamp: TIMESTAMP,
  generation: INT,
  resourceVersion: STRING,
  finalizers: strings,
});
const namespace = declare("kubernetes.Namespace", {
  metadata: structType(namespaceMetadata.name),
  spec: structType(namespaceSpec.name),
  status: structType(namespaceStatus.name),
});

export const REQUEST_TYPE = structType(request.name);
export const NAMESPACE_TYPE = structType(namespace.name);

/** Object types every admission expression knows. */
export const admissionTypes: readonly ObjectTypeDeclaration[] = [
  kind,
  resource,
  userInfo,
  request,
  namespaceSpec,
  namespaceCondition,
  namespaceStatus,
  namespaceMetadata,
  namespace,
];

/** The type of `variables`: one field per variable declared so far. */
export const VARIABLES_TYPE = structType("kubernetes.variables");

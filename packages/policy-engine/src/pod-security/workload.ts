import { isJsonObject, type JsonObject } from "./shape-reader.ts";

/** A built-in kind that is a Pod or carries a template of Pods. */
export interface PodCarrier {
  readonly group: string;
  readonly resource: string;
  readonly kind: string;
  /** From the object to what holds `metadata` and `spec` of the Pod. */
  readonly path: readonly string[];
}

export const podCarriers: readonly PodCarrier[] = [
  { group: "", resource: "pods", kind: "Pod", path: [] },
  { group: "", resource: "podtemplates", kind: "PodTemplate", path: ["template"] },
  {
    group: "",
    resource: "replicationcontrollers",
    kind: "ReplicationController",
    path: ["spec", "template"],
  },
  { group: "apps", resource: "replicasets", kind: "ReplicaSet", path: ["spec", "template"] },
  { group: "apps", resource: "deployments", kind: "Deployment", path: ["spec", "template"] },
  { group: "apps", resource: "statefulsets", kind: "StatefulSet", path: ["spec", "template"] },
  { group: "apps", resource: "daemonsets", kind: "DaemonSet", path: ["spec", "template"] },
  { group: "batch", resource: "jobs", kind: "Job", path: ["spec", "template"] },
  {
    group: "batch",
    resource: "cronjobs",
    kind: "CronJob",
    path: ["spec", "jobTemplate", "spec", "template"],
  },
];

const byGroupKind = new Map(podCarriers.map((carrier) => [`${carrier.group}/${carrier.kind}`, carrier]));

export interface ExtractedPod {
  readonly metadata: unknown;
  readonly spec: unknown;
  /** Where in the object the Pod sits: `""` for a Pod, else for example `spec.template`. */
  readonly path: string;
}

export function podCarrierOf(object: unknown): PodCarrier | undefined {
  if (!isJsonObject(object)) return undefined;
  const { apiVersion, kind } = object;
  if (typeof apiVersion !== "string" || typeof kind !== "string") return undefined;
  const slash = apiVersion.indexOf("/");
  return byGroupKind.get(`${slash < 0 ? "" : apiVersion.slice(0, slash)}/${kind}`);
}

/**
 * The Pod an object is or would make; `undefined` for other kinds and for one without a template.
 * The parts are as found: they may be misshapen, which `evaluatePodSecurity` reports.
 */
export function extractPodSpec(object: unknown): ExtractedPod | undefined {
  const carrier = podCarrierOf(object);
  return carrier && isJsonObject(object) ? follow(object, carrier) : undefined;
}

function follow(object: JsonObject, carrier: PodCarrier): ExtractedPod | undefined {
  let at: unknown = object;
  for (const key of carrier.path) {
    if (!isJsonObject(at)) break;
    at = Object.hasOwn(at, key) ? at[key] : undefined;
  }
  if (at === undefined || at === null) return undefined;
  const path = carrier.path.join(".");
  if (!isJsonObject(at)) return { metadata: undefined, spec: at, path };
  return {
    metadata: Object.hasOwn(at, "metadata") ? at.metadata : undefined,
    spec: Object.hasOwn(at, "spec") ? at.spec : undefined,
    path,
  };
}

import { isJsonObject, type JsonObject } from "./shape-reader.ts";
import { extractPodSpec } from "./workload.ts";

const judgedPodFields = [
  "hostNetwork",
  "hostPID",
  "hostIPC",
  "hostUsers",
  "os",
  "runtimeClassName",
  "securityContext",
  "volumes",
] as const;

const containerLists = ["initContainers", "containers", "ephemeralContainers"] as const;

const judgedContainerFields = [
  "name",
  "image",
  "securityContext",
  "ports",
  "livenessProbe",
  "readinessProbe",
  "startupProbe",
  "lifecycle",
] as const;

export const judgedAnnotationPrefixes = [
  "container.apparmor.security.beta.kubernetes.io/",
  "container.seccomp.security.alpha.kubernetes.io/",
  "seccomp.security.alpha.kubernetes.io/",
];

/**
 * Whether an update leaves alone everything the standards judge, so that it must pass even on an object that
 * offends: labels, finalizers, replicas, tolerations, resources and the like may always be edited.
 *
 * Images count as judged although no check reads them: to swap the image is to run new code with the
 * privileges the object already has (upstream re-judges for the same reason).
 */
export function podJudgementUnchanged(previous: unknown, current: unknown): boolean {
  const before = extractPodSpec(previous);
  const after = extractPodSpec(current);
  if (before === undefined || after === undefined) return before === after;
  if (!isJsonObject(before.spec) || !isJsonObject(after.spec)) return false;
  return (
    judgedPodFields.every((key) => sameField(before.spec as JsonObject, after.spec as JsonObject, key)) &&
    sameContainers(before.spec, after.spec) &&
    sameAnnotations(before.metadata, after.metadata)
  );
}

function sameContainers(before: JsonObject, after: JsonObject): boolean {
  return containerLists.every((key) => {
    const old = own(before, key) ?? [];
    const now = own(after, key) ?? [];
    if (!Array.isArray(old) || !Array.isArray(now) || old.length !== now.length) return false;
    return now.every((container, i) => {
      const was: unknown = old[i];
      return (
        isJsonObject(container) &&
        isJsonObject(was) &&
        judgedContainerFields.every((field) => sameField(was, container, field))
      );
    });
  });
}

function sameAnnotations(before: unknown, after: unknown): boolean {
  const old = judgedAnnotations(before);
  const now = judgedAnnotations(after);
  return old !== undefined && now !== undefined && sameJson(old, now, maxDepth);
}

function judgedAnnotations(metadata: unknown): ReadonlyArray<readonly [string, unknown]> | undefined {
  if (metadata === undefined || metadata === null) return [];
  if (!isJsonObject(metadata)) return undefined;
  const annotations = own(metadata, "annotations") ?? {};
  if (!isJsonObject(annotations)) return undefined;
  return Object.keys(annotations)
    .filter((key) => judgedAnnotationPrefixes.some((prefix) => key.startsWith(prefix)))
    .sort()
    .map((key) => [key, annotations[key]] as const);
}

function sameField(before: JsonObject, after: JsonObject, key: string): boolean {
  return sameJson(own(before, key), own(after, key), maxDepth);
}

function own(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? (object[key] ?? undefined) : undefined;
}

/** Far deeper than a Pod goes; what lies below counts as changed. */
const maxDepth = 32;

function sameJson(a: unknown, b: unknown, depth: number): boolean {
  if (a === b) return true;
  if (depth === 0 || typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, i) => sameJson(item, b[i], depth - 1));
  }
  return sameObject(a as JsonObject, b as JsonObject, depth);
}

function sameObject(a: JsonObject, b: JsonObject, depth: number): boolean {
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && sameJson(a[key], b[key], depth - 1));
}

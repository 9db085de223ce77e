import {
  containersWhere,
  type Judge,
  type PodSecurityCheck,
  plural,
  quoted,
  type Refusal,
  sortedUnique,
  theContainers,
  theSetters,
} from "../check.ts";
import { goQuoted } from "../go-quote.ts";
import type { PodView, SecurityContextView } from "../pod-view.ts";
import { exceptOnWindows } from "./exempt-pods.ts";

const podAnnotation = "seccomp.security.alpha.kubernetes.io/pod";
const containerAnnotationPrefix = "container.seccomp.security.alpha.kubernetes.io/";
const reason = "seccompProfile";

/** Until v1.18 the profile was an annotation. One for a container that does not exist has no effect. */
const annotationsSafe: Judge = (pod) => {
  const keys = [podAnnotation, ...pod.containers.map(({ name }) => containerAnnotationPrefix + name)];
  const bad: string[] = [];
  for (const key of keys) {
    const profile = Object.hasOwn(pod.annotations, key) ? (pod.annotations[key] ?? "") : undefined;
    if (typeof profile === "string" && !isSafeAnnotation(profile)) bad.push(`${key}=${goQuoted(profile)}`);
  }
  if (bad.length === 0) return undefined;
  const unique = sortedUnique(bad);
  return {
    reason,
    detail: `forbidden ${plural(unique.length, "annotation", "annotations")} ${unique.join(", ")}`,
  };
};

const notTurnedOff: Judge = (pod) => {
  const podSetsIt = isUnsafe(pod.securityContext);
  const names = containersWhere(pod, isUnsafe);
  return podSetsIt || names.length > 0 ? unsafeTypes(pod, podSetsIt, names) : undefined;
};

const alwaysChosen: Judge = (pod) => {
  const unsafe = notTurnedOff(pod);
  if (unsafe !== undefined || pod.securityContext.seccompType !== undefined) return unsafe;
  const silent = containersWhere(pod, (container) => container.seccompType === undefined);
  if (silent.length === 0) return undefined;
  return {
    reason,
    detail: `pod or ${theContainers(silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
  };
};

/**
 * System call filtering is not switched off.
 * Pod Security Standards, Baseline, "Seccomp"; annotations before v1.19, the field since.
 */
export const seccompProfileBaseline: PodSecurityCheck = {
  id: "seccompProfile_baseline",
  level: "baseline",
  editions: [
    { sinceMinor: 0, judge: annotationsSafe },
    { sinceMinor: 19, judge: notTurnedOff },
  ],
};

/**
 * System call filtering is switched on, by the Pod or by each container. Windows has none (since v1.25).
 * Pod Security Standards, Restricted, "Seccomp (v1.19+)".
 */
export const seccompProfileRestricted: PodSecurityCheck = {
  id: "seccompProfile_restricted",
  level: "restricted",
  editions: [
    { sinceMinor: 19, judge: alwaysChosen, replaces: "seccompProfile_baseline" },
    { sinceMinor: 25, judge: exceptOnWindows(alwaysChosen), replaces: "seccompProfile_baseline" },
  ],
};

function isSafeAnnotation(profile: string): boolean {
  return profile === "runtime/default" || profile === "docker/default" || profile.startsWith("localhost/");
}

function isUnsafe({ seccompType: type }: SecurityContextView): boolean {
  return type !== undefined && type !== "RuntimeDefault" && type !== "Localhost";
}

function unsafeTypes(pod: PodView, podSetsIt: boolean, names: readonly string[]): Refusal {
  const contexts = [pod.securityContext, ...pod.containers].filter(isUnsafe);
  const types = sortedUnique(contexts.map((context) => context.seccompType ?? ""));
  return {
    reason,
    detail: `${theSetters(podSetsIt, names)} must not set securityContext.seccompProfile.type to ${quoted(types)}`,
  };
}

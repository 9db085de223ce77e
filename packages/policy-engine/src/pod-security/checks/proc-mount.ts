import {
  containersWhere,
  type Judge,
  type PodSecurityCheck,
  quoted,
  sortedUnique,
  theContainers,
} from "../check.ts";
import type { ContainerView } from "../pod-view.ts";
import { exceptInUserNamespace } from "./exempt-pods.ts";

const masked: Judge = (pod) => {
  const names = containersWhere(pod, isUnmasked);
  if (names.length === 0) return undefined;
  const types = sortedUnique(pod.containers.filter(isUnmasked).map((container) => container.procMount ?? ""));
  return {
    reason: "procMount",
    detail: `${theContainers(names)} must not set securityContext.procMount to ${quoted(types)}`,
  };
};

/**
 * /proc keeps the runtime's masks; since v1.35 a Pod with a user namespace of its own may lift them.
 * Pod Security Standards, Baseline, "/proc Mount Type".
 */
export const procMount: PodSecurityCheck = {
  id: "procMount",
  level: "baseline",
  editions: [
    { sinceMinor: 0, judge: masked },
    { sinceMinor: 35, judge: exceptInUserNamespace(masked) },
  ],
};

/** Restricted does not follow that relaxation: until v1.34 the baseline check says the same. */
export const procMountRestricted: PodSecurityCheck = {
  id: "procMount_restricted",
  level: "restricted",
  editions: [{ sinceMinor: 35, judge: masked, replaces: "procMount" }],
};

function isUnmasked(container: ContainerView): boolean {
  return container.procMount !== undefined && container.procMount !== "Default";
}

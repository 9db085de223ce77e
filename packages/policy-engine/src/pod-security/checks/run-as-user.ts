import { containersWhere, type Judge, type PodSecurityCheck, theSetters } from "../check.ts";
import { exceptInUserNamespace } from "./exempt-pods.ts";

const neverZero: Judge = (pod) => {
  const podIsRoot = pod.securityContext.runAsUser === 0;
  const names = containersWhere(pod, (container) => container.runAsUser === 0);
  if (!podIsRoot && names.length === 0) return undefined;
  return { reason: "runAsUser=0", detail: `${theSetters(podIsRoot, names)} must not set runAsUser=0` };
};

/**
 * Nobody asks for user 0 by number.
 * Pod Security Standards, Restricted, "Running as Non-root user (v1.23+)".
 */
export const runAsUser: PodSecurityCheck = {
  id: "runAsUser",
  level: "restricted",
  editions: [
    { sinceMinor: 23, judge: neverZero },
    { sinceMinor: 35, judge: exceptInUserNamespace(neverZero) },
  ],
};

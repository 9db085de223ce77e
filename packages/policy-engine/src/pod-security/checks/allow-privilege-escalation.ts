import { containersWhere, type Judge, type PodSecurityCheck, theContainers } from "../check.ts";
import { exceptOnWindows } from "./exempt-pods.ts";

const explicitlyOff: Judge = (pod) => {
  const names = containersWhere(pod, (container) => container.allowPrivilegeEscalation !== false);
  if (names.length === 0) return undefined;
  return {
    reason: "allowPrivilegeEscalation != false",
    detail: `${theContainers(names)} must set securityContext.allowPrivilegeEscalation=false`,
  };
};

/**
 * Set-user-ID programs and the like gain nothing (no_new_privs); the field exists since v1.8.
 * Pod Security Standards, Restricted, "Privilege Escalation (v1.8+)".
 */
export const allowPrivilegeEscalation: PodSecurityCheck = {
  id: "allowPrivilegeEscalation",
  level: "restricted",
  editions: [
    { sinceMinor: 8, judge: explicitlyOff },
    { sinceMinor: 25, judge: exceptOnWindows(explicitlyOff) },
  ],
};

import { containersWhere, type PodSecurityCheck, theContainers } from "../check.ts";

/**
 * A privileged container has the host's devices and all capabilities.
 * Pod Security Standards, Baseline, "Privileged Containers".
 */
export const privileged: PodSecurityCheck = {
  id: "privileged",
  level: "baseline",
  editions: [
    {
      sinceMinor: 0,
      judge(pod) {
        const names = containersWhere(pod, (container) => container.privileged === true);
        if (names.length === 0) return undefined;
        return {
          reason: "privileged",
          detail: `${theContainers(names)} must not set securityContext.privileged=true`,
        };
      },
    },
  ],
};

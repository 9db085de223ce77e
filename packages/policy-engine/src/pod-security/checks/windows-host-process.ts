import { containersWhere, type PodSecurityCheck, theSetters } from "../check.ts";

/**
 * A Windows HostProcess container runs as a process of the node.
 * Pod Security Standards, Baseline, "HostProcess".
 */
export const windowsHostProcess: PodSecurityCheck = {
  id: "windowsHostProcess",
  level: "baseline",
  editions: [
    {
      sinceMinor: 0,
      judge(pod) {
        const podSetsIt = pod.securityContext.windowsHostProcess === true;
        const names = containersWhere(pod, (container) => container.windowsHostProcess === true);
        if (!podSetsIt && names.length === 0) return undefined;
        return {
          reason: "hostProcess",
          detail: `${theSetters(podSetsIt, names)} must not set securityContext.windowsOptions.hostProcess=true`,
        };
      },
    },
  ],
};

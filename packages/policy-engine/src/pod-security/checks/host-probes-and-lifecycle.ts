import {
  containersWhere,
  type PodSecurityCheck,
  plural,
  quoted,
  sortedUnique,
  theContainers,
} from "../check.ts";

/**
 * A probe or lifecycle hook that names a host makes the kubelet call that host from the node's network.
 * Pod Security Standards, Baseline, "Host Probes / Lifecycle Hooks" (since v1.34; KEP-4940).
 */
export const hostProbesAndHostLifecycle: PodSecurityCheck = {
  id: "hostProbesAndHostLifecycle",
  level: "baseline",
  editions: [
    {
      sinceMinor: 34,
      judge(pod) {
        const names = sortedUnique(containersWhere(pod, (container) => container.handlerHosts.length > 0));
        if (names.length === 0) return undefined;
        const hosts = sortedUnique(pod.containers.flatMap((container) => container.handlerHosts));
        return {
          reason: "probe or lifecycle host",
          detail: [
            theContainers(names),
            plural(names.length, "uses", "use"),
            plural(hosts.length, "probe or lifecycle host", "probe or lifecycle hosts"),
            quoted(hosts),
          ].join(" "),
        };
      },
    },
  ],
};

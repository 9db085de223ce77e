import { containersWhere, type PodSecurityCheck, plural, sortedUnique, theContainers } from "../check.ts";

/**
 * No container takes a port of the node.
 * Pod Security Standards, Baseline, "Host Ports".
 */
export const hostPorts: PodSecurityCheck = {
  id: "hostPorts",
  level: "baseline",
  editions: [
    {
      sinceMinor: 0,
      judge(pod) {
        const names = containersWhere(pod, (container) => container.hostPorts.length > 0);
        if (names.length === 0) return undefined;
        const ports = sortedUnique(pod.containers.flatMap((container) => container.hostPorts.map(String)));
        return {
          reason: "hostPort",
          detail: [
            theContainers(names),
            plural(names.length, "uses", "use"),
            plural(ports.length, "hostPort", "hostPorts"),
            ports.join(", "),
          ].join(" "),
        };
      },
    },
  ],
};

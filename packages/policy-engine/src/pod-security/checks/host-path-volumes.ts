import { type PodSecurityCheck, plural, quoted } from "../check.ts";

/**
 * No volume mounts a path of the node.
 * Pod Security Standards, Baseline, "HostPath Volumes".
 */
export const hostPathVolumes: PodSecurityCheck = {
  id: "hostPathVolumes",
  level: "baseline",
  editions: [
    {
      sinceMinor: 0,
      judge(pod) {
        const names = pod.volumes
          .filter((volume) => volume.sources.has("hostPath"))
          .map((volume) => volume.name);
        if (names.length === 0) return undefined;
        return {
          reason: "hostPath volumes",
          detail: `${plural(names.length, "volume", "volumes")} ${quoted(names)}`,
        };
      },
    },
  ],
};

import {
  containersWhere,
  type Judge,
  type PodSecurityCheck,
  plural,
  quoted,
  sortedUnique,
  theSetters,
} from "../check.ts";
import type { SecurityContextView, SeLinuxView } from "../pod-view.ts";

const typesBefore31 = new Set(["", "container_t", "container_init_t", "container_kvm_t"]);
const typesSince31 = new Set([...typesBefore31, "container_engine_t"]);

/**
 * SELinux confinement stays one meant for containers; user and role are not for a Pod to choose.
 * Pod Security Standards, Baseline, "SELinux" (container_engine_t since v1.31).
 */
export const seLinuxOptions: PodSecurityCheck = {
  id: "seLinuxOptions",
  level: "baseline",
  editions: [
    { sinceMinor: 0, judge: confinedTo(typesBefore31) },
    { sinceMinor: 31, judge: confinedTo(typesSince31) },
  ],
};

function confinedTo(types: ReadonlySet<string>): Judge {
  const isBad = ({ seLinux }: SecurityContextView) =>
    seLinux !== undefined && (!types.has(seLinux.type) || seLinux.user !== "" || seLinux.role !== "");
  return (pod) => {
    const podSetsIt = isBad(pod.securityContext);
    const names = containersWhere(pod, isBad);
    if (!podSetsIt && names.length === 0) return undefined;
    const options = [pod.securityContext, ...pod.containers].flatMap(({ seLinux }) => seLinux ?? []);
    return {
      reason: "seLinuxOptions",
      detail: `${theSetters(podSetsIt, names)} set forbidden securityContext.seLinuxOptions: ${faults(options, types)}`,
    };
  };
}

function faults(options: readonly SeLinuxView[], types: ReadonlySet<string>): string {
  const badTypes = sortedUnique(options.map((option) => option.type).filter((type) => !types.has(type)));
  const parts: string[] = [];
  if (badTypes.length > 0) parts.push(`${plural(badTypes.length, "type", "types")} ${quoted(badTypes)}`);
  if (options.some((option) => option.user !== "")) parts.push("user may not be set");
  if (options.some((option) => option.role !== "")) parts.push("role may not be set");
  return parts.join("; ");
}

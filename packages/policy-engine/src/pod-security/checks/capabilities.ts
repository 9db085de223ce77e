import {
  containersWhere,
  type Judge,
  type PodSecurityCheck,
  quoted,
  sortedUnique,
  theContainers,
} from "../check.ts";
import type { ContainerView, PodView } from "../pod-view.ts";
import { exceptOnWindows } from "./exempt-pods.ts";

/** What container runtimes grant by default, less NET_RAW. */
const grantedByDefault = new Set([
  "AUDIT_WRITE",
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "MKNOD",
  "NET_BIND_SERVICE",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
]);
const grantedWhenRestricted = new Set(["NET_BIND_SERVICE"]);

/**
 * No capability beyond the runtime's defaults is added.
 * Pod Security Standards, Baseline, "Capabilities".
 */
export const capabilitiesBaseline: PodSecurityCheck = {
  id: "capabilities_baseline",
  level: "baseline",
  editions: [
    {
      sinceMinor: 0,
      judge(pod) {
        const detail = addsBeyond(pod, grantedByDefault);
        return detail === undefined ? undefined : { reason: "non-default capabilities", detail };
      },
    },
  ],
};

const dropAllAddOne: Judge = (pod) => {
  const keeping = containersWhere(pod, (container) => !dropsAll(container));
  const adding = addsBeyond(pod, grantedWhenRestricted);
  if (keeping.length === 0 && adding === undefined) return undefined;
  const parts: string[] = [];
  if (keeping.length > 0) {
    parts.push(`${theContainers(keeping)} must set securityContext.capabilities.drop=["ALL"]`);
  }
  if (adding !== undefined) parts.push(adding);
  return { reason: "unrestricted capabilities", detail: parts.join("; ") };
};

/**
 * Every container drops all capabilities and adds back NET_BIND_SERVICE at most. Windows has none (since v1.25).
 * Pod Security Standards, Restricted, "Capabilities (v1.22+)".
 */
export const capabilitiesRestricted: PodSecurityCheck = {
  id: "capabilities_restricted",
  level: "restricted",
  editions: [
    { sinceMinor: 22, judge: dropAllAddOne, replaces: "capabilities_baseline" },
    { sinceMinor: 25, judge: exceptOnWindows(dropAllAddOne), replaces: "capabilities_baseline" },
  ],
};

function dropsAll(container: ContainerView): boolean {
  return container.capabilities?.drop.includes("ALL") === true;
}

function addsBeyond(pod: PodView, granted: ReadonlySet<string>): string | undefined {
  const names = containersWhere(
    pod,
    ({ capabilities }) => capabilities?.add.some((c) => !granted.has(c)) === true,
  );
  if (names.length === 0) return undefined;
  const beyond = pod.containers.flatMap(
    ({ capabilities }) => capabilities?.add.filter((c) => !granted.has(c)) ?? [],
  );
  return `${theContainers(names)} must not include ${quoted(sortedUnique(beyond))} in securityContext.capabilities.add`;
}

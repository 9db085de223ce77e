import { byCodePoint, type CheckEdition, type CheckId, type Judge, type PodSecurityCheck } from "./check.ts";
import { allowPrivilegeEscalation } from "./checks/allow-privilege-escalation.ts";
import { appArmorProfile } from "./checks/app-armor-profile.ts";
import { capabilitiesBaseline, capabilitiesRestricted } from "./checks/capabilities.ts";
import { hostNamespaces } from "./checks/host-namespaces.ts";
import { hostPathVolumes } from "./checks/host-path-volumes.ts";
import { hostPorts } from "./checks/host-ports.ts";
import { hostProbesAndHostLifecycle } from "./checks/host-probes-and-lifecycle.ts";
import { privileged } from "./checks/privileged.ts";
import { procMount, procMountRestricted } from "./checks/proc-mount.ts";
import { restrictedVolumes } from "./checks/restricted-volumes.ts";
import { runAsNonRoot } from "./checks/run-as-non-root.ts";
import { runAsUser } from "./checks/run-as-user.ts";
import { seLinuxOptions } from "./checks/se-linux-options.ts";
import { seccompProfileBaseline, seccompProfileRestricted } from "./checks/seccomp-profile.ts";
import { sysctls } from "./checks/sysctls.ts";
import { windowsHostProcess } from "./checks/windows-host-process.ts";
import { newestKnownMinor, type PodSecurityLevel } from "./levels.ts";

/** Every control of the standards; the order here carries no meaning. */
export const allChecks: readonly PodSecurityCheck[] = [
  allowPrivilegeEscalation,
  appArmorProfile,
  capabilitiesBaseline,
  capabilitiesRestricted,
  hostNamespaces,
  hostPathVolumes,
  hostPorts,
  hostProbesAndHostLifecycle,
  privileged,
  procMount,
  procMountRestricted,
  restrictedVolumes,
  runAsNonRoot,
  runAsUser,
  seLinuxOptions,
  seccompProfileBaseline,
  seccompProfileRestricted,
  sysctls,
  windowsHostProcess,
];

export interface ActiveCheck {
  readonly id: CheckId;
  readonly judge: Judge;
}

/**
 * The checks in force at a level in the edition of a minor version, in the order in which upstream reports
 * them: baseline checks by id, then restricted ones by id.
 */
export function checksFor(level: PodSecurityLevel, minor: number): readonly ActiveCheck[] {
  if (level === "privileged") return [];
  return tables[level][minor] ?? [];
}

const tables = { baseline: tabulate("baseline"), restricted: tabulate("restricted") };

function tabulate(level: "baseline" | "restricted"): readonly (readonly ActiveCheck[])[] {
  return Array.from({ length: newestKnownMinor + 1 }, (_, minor) => selectChecks(level, minor));
}

function selectChecks(level: "baseline" | "restricted", minor: number): readonly ActiveCheck[] {
  const inForce = allChecks.flatMap((check) => {
    const edition =
      level === "restricted" || check.level === "baseline" ? editionAt(check, minor) : undefined;
    return edition === undefined ? [] : [{ check, edition }];
  });
  const replaced = new Set(inForce.map(({ edition }) => edition.replaces));
  return inForce
    .filter(({ check }) => !replaced.has(check.id))
    .sort(({ check: a }, { check: b }) => byCodePoint(a.level, b.level) || byCodePoint(a.id, b.id))
    .map(({ check, edition }) => ({ id: check.id, judge: edition.judge }));
}

function editionAt(check: PodSecurityCheck, minor: number): CheckEdition | undefined {
  return check.editions.findLast((edition) => edition.sinceMinor <= minor);
}

import type { ContainerView, PodView } from "./pod-view.ts";

export type CheckId =
  | "allowPrivilegeEscalation"
  | "appArmorProfile"
  | "capabilities_baseline"
  | "capabilities_restricted"
  | "hostNamespaces"
  | "hostPathVolumes"
  | "hostPorts"
  | "hostProbesAndHostLifecycle"
  | "privileged"
  | "procMount"
  | "procMount_restricted"
  | "restrictedVolumes"
  | "runAsNonRoot"
  | "runAsUser"
  | "seLinuxOptions"
  | "seccompProfile_baseline"
  | "seccompProfile_restricted"
  | "sysctls"
  | "windowsHostProcess";

/** Why a check refuses. Both texts equal what the API server's own Pod Security admission says. */
export interface Refusal {
  readonly reason: string;
  readonly detail: string;
}

export type Judge = (pod: PodView) => Refusal | undefined;

/** One control of the Pod Security Standards through its editions. */
export interface PodSecurityCheck {
  readonly id: CheckId;
  /** A baseline check also holds at restricted, unless a restricted one replaces it. */
  readonly level: "baseline" | "restricted";
  /** In ascending order; each holds from its minor version until the next begins. */
  readonly editions: readonly CheckEdition[];
}

export interface CheckEdition {
  readonly sinceMinor: number;
  readonly judge: Judge;
  /** The baseline check a restricted one makes superfluous. */
  readonly replaces?: CheckId;
}

/** `one` or `many`, whichever goes with `count`. */
export function plural(count: number, one: string, many: string): string {
  return count === 1 ? one : many;
}

/** `"a", "b"`: names as they are, so that they can be searched for. */
export function quoted(names: readonly string[]): string {
  return names.length === 0 ? "" : `"${names.join('", "')}"`;
}

/** `container "a"` or `containers "a", "b"`. */
export function theContainers(names: readonly string[]): string {
  return `${plural(names.length, "container", "containers")} ${quoted(names)}`;
}

/** `pod and container "a"`: who set a field that both a Pod and its containers have. */
export function theSetters(podSetsIt: boolean, containers: readonly string[]): string {
  const setters = podSetsIt ? ["pod"] : [];
  if (containers.length > 0) setters.push(theContainers(containers));
  return setters.join(" and ");
}

export function containersWhere(pod: PodView, is: (container: ContainerView) => boolean): readonly string[] {
  let names: string[] | undefined;
  for (const container of pod.containers) {
    if (!is(container)) continue;
    names ??= [];
    names.push(container.name);
  }
  return names ?? none;
}

/** Each value once, in the byte order of its UTF-8 form. */
export function sortedUnique(values: Iterable<string>): string[] {
  return [...new Set(values)].sort(byCodePoint);
}

/** UTF-8 byte order is code point order, which UTF-16 order is not above U+FFFF. */
export function byCodePoint(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    if (a.charCodeAt(i) === b.charCodeAt(i)) continue;
    const x = a.codePointAt(i) ?? 0;
    const y = b.codePointAt(i) ?? 0;
    // Inside a surrogate pair whose first half was equal, the second halves order like the code points do.
    return x - y;
  }
  return a.length - b.length;
}

const none: readonly string[] = Object.freeze([]);

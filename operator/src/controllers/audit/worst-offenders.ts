import { first } from "../../first.ts";
import type { AuditedObject } from "./audited-object.ts";
import { type Breaks, findingsBy } from "./breaks.ts";

/** An object that breaks some policy. */
export interface Offending {
  readonly key: string;
  readonly object: AuditedObject;
  readonly breaks: Breaks;
}

export interface Offender {
  readonly object: AuditedObject;
  /** The policy's findings against it. */
  readonly findings: number;
  /** Objects of this controller (at any depth) that offend too; 0 for a Pod of its own. */
  readonly dependants: number;
}

/**
 * Offenders of one policy that no other offender controls, worst first. A Deployment, its ReplicaSet and its Pods all
 * offend with the same template; the topmost one is where a person has to fix it. One pass over all offenders.
 */
export function worstOffenders(
  offending: ReadonlyMap<string, Offending>,
  policy: string,
  count: number,
): Offender[] {
  const findings = findingsBy(policy);
  const find = (uid: string): Offending | undefined => {
    const owner = offending.get(uid);
    return owner === undefined || findings(owner.breaks) === 0 ? undefined : owner;
  };
  const dependants = new Map<string, number>();
  const roots: Offending[] = [];
  for (const item of offending.values()) {
    if (findings(item.breaks) === 0) continue;
    const root = topmost(item, find).key;
    if (root === item.key) roots.push(item);
    else dependants.set(root, (dependants.get(root) ?? 0) + 1);
  }
  const worstFirst = (a: Offending, b: Offending): number =>
    findings(b.breaks) - findings(a.breaks) ||
    (dependants.get(b.key) ?? 0) - (dependants.get(a.key) ?? 0) ||
    (nameOf(a) < nameOf(b) ? -1 : 1);
  return first(roots, count, worstFirst).map(({ key, object, breaks }) => ({
    object,
    findings: findings(breaks),
    dependants: dependants.get(key) ?? 0,
  }));
}

/** The topmost of an object and its controllers that `find` knows, by uid. */
export function topmost(item: Offending, find: (uid: string) => Offending | undefined): Offending {
  let current = item;
  // Owner references can be edited into a circle; nothing real is deeper than CronJob, Job, Pod.
  for (let depth = 0; depth < 8; depth++) {
    const { controllerUid } = current.object;
    const owner = controllerUid === undefined ? undefined : find(controllerUid);
    if (owner === undefined || owner.key === item.key) return current;
    current = owner;
  }
  return item;
}

function nameOf({ object }: Offending): string {
  return `${object.namespace}/${object.kind}/${object.name}`;
}

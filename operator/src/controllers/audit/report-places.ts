import { namespaceOfPolicy } from "@shieldx/crds";
import { first } from "../../first.ts";
import type { AuditIndex } from "./audit-index.ts";
import type { Breaks } from "./breaks.ts";
import type { Offending } from "./worst-offenders.ts";

/** How many Reports there may be of objects that break a policy of the cluster, and so many of others beside: {@link tenantShare}. */
export interface PlaceLimits {
  /** Of objects, in the cluster; and as many again that sum up namespaces. */
  readonly reports: number;
  /** Of objects in one namespace. */
  readonly perNamespace: number;
}

/** What has a Report of its own, and which namespaces need one that sums up. */
export interface ReportPlaces {
  /** Keys of objects. */
  readonly objects: ReadonlySet<string>;
  /** How many of those each namespace has. */
  readonly byNamespace: ReadonlyMap<string, number>;
  /** How many of those break each policy. */
  readonly byPolicy: ReadonlyMap<string, number>;
  /** Namespaces in which more offends than has a Report. */
  readonly summed: readonly string[];
  /** Objects of namespaces without a Report of their own. */
  readonly omitted: number;
}

type Offenders = Pick<AuditIndex, "get" | "namespaces" | "size">;

/**
 * Places for objects that break tenants' policies only. They are beside those for policies of the cluster, so that whoever
 * writes a policy for a namespace takes no place from these, and is not left without by them.
 * @param limit as many as there are for policies of the cluster
 */
export function tenantShare(limit: number): number {
  return Math.ceil(limit / 4);
}

/**
 * Who gets a place. Objects that have one keep it for as long as they offend, so that caps cause no writes; free ones go
 * to those whom no other offender controls, then in order of their keys, so that two runs over one cluster choose alike.
 * Costs a pass over what has a place, and one over the others where a place is free for them.
 * @param held keys of objects that have a place or a Report
 * @param summed namespaces that have a Report which sums them up
 */
export function assignPlaces(
  offenders: Offenders,
  held: Iterable<string>,
  summed: ReadonlySet<string>,
  limits: PlaceLimits,
): ReportPlaces {
  const isTenants = tenantsOnly();
  const holders: { readonly cluster: Offending[]; readonly tenants: Offending[] } = {
    cluster: [],
    tenants: [],
  };
  for (const key of new Set(held)) {
    const item = offenders.get(key);
    if (item === undefined || !canHaveReport(item)) continue;
    (isTenants(item) ? holders.tenants : holders.cluster).push(item);
  }
  const { reports, perNamespace } = limits;
  const ofTenants = { reports: tenantShare(reports), perNamespace: tenantShare(perNamespace) };
  const chosen = [
    ...choose(offenders, holders.cluster, (item) => !isTenants(item), limits),
    ...choose(offenders, holders.tenants, isTenants, ofTenants),
  ];
  const byNamespace = countsOf(chosen, ({ object }) => [object.namespace]);
  return {
    objects: new Set(chosen.map(({ key }) => key)),
    byNamespace,
    byPolicy: countsOf(chosen, ({ breaks }) => breaks.policies),
    ...summedUp(offenders, byNamespace, summed, limits),
  };
}

/** Of the offenders that are meant, those that get a place. */
function choose(
  offenders: Offenders,
  holders: readonly Offending[],
  isMeant: (item: Offending) => boolean,
  limits: PlaceLimits,
): Offending[] {
  const inOrder = orderIn(offenders);
  const staying = Map.groupBy(holders, ({ object }) => object.namespace);
  const kept = [...staying.values()].flatMap((items) => first(items, limits.perNamespace, inOrder));
  const chosen = kept.length <= limits.reports ? kept : first(kept, limits.reports, inOrder);
  const taken = new Set(chosen.map(({ key }) => key));
  const byNamespace = countsOf(chosen, ({ object }) => [object.namespace]);

  const room = limits.reports - chosen.length;
  const candidates: Offending[] = [];
  for (const [namespace, { objects }] of offenders.namespaces) {
    const has = byNamespace.get(namespace) ?? 0;
    if (namespace === "" || objects.size === has || room <= 0) continue;
    const others = without(objects.values(), taken, isMeant);
    candidates.push(...first(others, Math.min(room, limits.perNamespace - has), inOrder));
  }
  chosen.push(...first(candidates, room, inOrder));
  return chosen;
}

function summedUp(
  offenders: Offenders,
  byNamespace: ReadonlyMap<string, number>,
  before: ReadonlySet<string>,
  limits: PlaceLimits,
): Pick<ReportPlaces, "summed" | "omitted"> {
  let omitted = 0;
  const wanted: string[] = [];
  for (const [namespace, { objects }] of offenders.namespaces) {
    const without = objects.size - (byNamespace.get(namespace) ?? 0);
    if (namespace === "" || without === 0) continue;
    omitted += without;
    wanted.push(namespace);
  }
  const isTenants = (namespace: string): boolean =>
    [...(offenders.namespaces.get(namespace)?.policies.keys() ?? [])].every(isTenantPolicy);
  const last = new Set(wanted.filter(isTenants));
  const inOrder = (a: string, b: string): number =>
    Number(last.has(a)) - Number(last.has(b)) ||
    Number(before.has(b)) - Number(before.has(a)) ||
    (a < b ? -1 : 1);
  return { omitted, summed: first(wanted, limits.reports, inOrder) };
}

/** What is controlled by another offender comes last: it is mended there. */
function orderIn(offenders: Offenders): (a: Offending, b: Offending) => number {
  const isControlled = ({ object: { controllerUid } }: Offending): boolean =>
    controllerUid !== undefined && offenders.get(controllerUid) !== undefined;
  return (a, b) => Number(isControlled(a)) - Number(isControlled(b)) || (a.key < b.key ? -1 : 1);
}

function* without(
  items: Iterable<Offending>,
  taken: ReadonlySet<string>,
  isMeant: (item: Offending) => boolean,
): Iterable<Offending> {
  for (const item of items) if (!taken.has(item.key) && isMeant(item) && canHaveReport(item)) yield item;
}

const isTenantPolicy = (policy: string): boolean => namespaceOfPolicy(policy) !== undefined;

/** Whether an object breaks no policy of the cluster. Remembers answers, for many objects share a few `Breaks`. */
function tenantsOnly(): (item: Offending) => boolean {
  const known = new Map<Breaks, boolean>();
  return ({ breaks }) => {
    const before = known.get(breaks);
    if (before !== undefined) return before;
    const answer = breaks.policies.every(isTenantPolicy);
    known.set(breaks, answer);
    return answer;
  };
}

/** Reports live in namespaces; and one about a Report that a policy refuses would be refused too, and so on. */
function canHaveReport({ object: { apiVersion, namespace } }: Offending): boolean {
  return namespace !== "" && !apiVersion.startsWith("openreports.io/");
}

function countsOf(
  items: readonly Offending[],
  of: (item: Offending) => readonly string[],
): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) for (const name of of(item)) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

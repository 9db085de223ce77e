import { first } from "../../first.ts";
import type { AuditIndex } from "./audit-index.ts";
import type { Offending } from "./worst-offenders.ts";

/** How many Reports there may be. */
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
  const inOrder = orderIn(offenders);
  const staying = new Map<string, Offending[]>();
  for (const key of new Set(held)) {
    const item = offenders.get(key);
    if (item === undefined || !canHaveReport(item)) continue;
    const { namespace } = item.object;
    const items = staying.get(namespace) ?? [];
    items.push(item);
    staying.set(namespace, items);
  }
  const kept = [...staying.values()].flatMap((items) => first(items, limits.perNamespace, inOrder));
  const chosen = kept.length <= limits.reports ? kept : first(kept, limits.reports, inOrder);
  const taken = new Set(chosen.map(({ key }) => key));
  const byNamespace = countsOf(chosen, ({ object }) => [object.namespace]);

  const room = limits.reports - chosen.length;
  const candidates: Offending[] = [];
  for (const [namespace, { objects }] of offenders.namespaces) {
    const has = byNamespace.get(namespace) ?? 0;
    if (namespace === "" || objects.size === has || room <= 0) continue;
    const others = without(objects.values(), taken);
    candidates.push(...first(others, Math.min(room, limits.perNamespace - has), inOrder));
  }
  for (const item of first(candidates, room, inOrder)) {
    chosen.push(item);
    byNamespace.set(item.object.namespace, (byNamespace.get(item.object.namespace) ?? 0) + 1);
  }
  return {
    objects: new Set(chosen.map(({ key }) => key)),
    byNamespace,
    byPolicy: countsOf(chosen, ({ breaks }) => breaks.policies),
    ...summedUp(offenders, byNamespace, summed, limits),
  };
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
  const inOrder = (a: string, b: string): number =>
    Number(before.has(b)) - Number(before.has(a)) || (a < b ? -1 : 1);
  return { omitted, summed: first(wanted, limits.reports, inOrder) };
}

/** What is controlled by another offender comes last: it is mended there. */
function orderIn(offenders: Offenders): (a: Offending, b: Offending) => number {
  const isControlled = ({ object: { controllerUid } }: Offending): boolean =>
    controllerUid !== undefined && offenders.get(controllerUid) !== undefined;
  return (a, b) => Number(isControlled(a)) - Number(isControlled(b)) || (a.key < b.key ? -1 : 1);
}

function* without(items: Iterable<Offending>, taken: ReadonlySet<string>): Iterable<Offending> {
  for (const item of items) if (!taken.has(item.key) && canHaveReport(item)) yield item;
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

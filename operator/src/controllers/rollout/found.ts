import { MAX_FOUND, type RolloutCounts, type RolloutFound, type RolloutReport } from "@shieldx/crds";

/** What one process found in one turn. */
export type ProcessFound = Pick<RolloutReport, "distinct" | "objects" | "namespaces" | "counts"> & {
  readonly process: string;
};

/** By namespace, how much of what each process found is in the status. */
export type Merged = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** What is counted without its namespace; no namespace is called so. */
const ELSEWHERE = "*";

/**
 * What a process that is met for the first time has told already: its share of the counts is part of the status, and so is
 * what it found until then. What it found since, by the leader before, is told without its namespace.
 */
export function mergedBefore(
  processes: readonly (RolloutCounts & { readonly id: string })[],
  told: readonly ProcessFound[],
  known: Merged,
): Merged {
  const ids = new Set(processes.map(({ id }) => id));
  return new Map(
    told.map((report) => {
      const before = known.get(report.process);
      return [report.process, before ?? (ids.has(report.process) ? foundBy(report) : new Map())];
    }),
  );
}

/** Adds what processes found beyond what is merged. Returns also what is merged then. */
export function mergeFound(
  before: RolloutFound | undefined,
  told: readonly ProcessFound[],
  merged: Merged,
): { readonly found: RolloutFound | undefined; readonly merged: Merged } {
  const namespaces = new Map((before?.namespaces ?? []).map(({ name, denied }) => [name, denied]));
  const now = new Map<string, ReadonlyMap<string, number>>();
  let elsewhere = before?.moreNamespaces ?? 0;
  for (const report of told) {
    const last = merged.get(report.process) ?? new Map<string, number>();
    const found = foundBy(report);
    for (const [namespace, count] of found) {
      const more = Math.max(0, count - (last.get(namespace) ?? 0));
      if (namespace === ELSEWHERE) elsewhere += more;
      else if (more > 0) namespaces.set(namespace, (namespaces.get(namespace) ?? 0) + more);
    }
    now.set(report.process, new Map([...last, ...found]));
  }
  const objects = objectsOf(before, told);
  if (objects.length === 0 && namespaces.size === 0) return { found: before, merged: now };
  const ranked = [...namespaces].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  for (const [, count] of ranked.slice(MAX_FOUND)) elsewhere += count;
  const moreObjects = countOthers(before, told, objects.length);
  return {
    found: {
      objects: objects.slice(0, MAX_FOUND),
      ...(moreObjects === 0 ? {} : { moreObjects }),
      namespaces: ranked.slice(0, MAX_FOUND).map(([name, denied]) => ({ name, denied })),
      ...(elsewhere === 0 ? {} : { moreNamespaces: elsewhere }),
    },
    merged: now,
  };
}

function foundBy({ namespaces, counts }: ProcessFound): Map<string, number> {
  const listed = namespaces.reduce((sum, [, count]) => sum + count, 0);
  const others = counts.found - listed;
  return new Map([...namespaces, ...(others > 0 ? [[ELSEWHERE, others] as const] : [])]);
}

type FoundObject = RolloutFound["objects"][number];

/** Those listed before stay, so that the list does not change under a reader's eyes. */
function objectsOf(before: RolloutFound | undefined, told: readonly ProcessFound[]): FoundObject[] {
  const objects = new Map((before?.objects ?? []).map((object) => [keyOf(object), object]));
  for (const report of told) {
    for (const { namespace, kind, name, message } of report.objects) {
      const object = { ...(namespace === "" ? {} : { namespace }), kind, name, message };
      if (!objects.has(keyOf(object))) objects.set(keyOf(object), object);
    }
  }
  return [...objects.values()];
}

function keyOf({ namespace = "", kind, name }: FoundObject): string {
  return JSON.stringify([namespace, kind, name]);
}

/** At least so many are not listed: replicas may have found the same, or others. */
function countOthers(before: RolloutFound | undefined, told: readonly ProcessFound[], known: number): number {
  const earlier = (before?.objects.length ?? 0) + (before?.moreObjects ?? 0);
  const all = Math.max(known, earlier, ...told.map(({ distinct }) => distinct));
  return all - Math.min(known, MAX_FOUND);
}

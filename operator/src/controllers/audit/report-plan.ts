import type { AuditIndex } from "./audit-index.ts";
import { type Report, reportDigest, reportName, reportOf, SUMMARY_NAME, summaryOf } from "./report.ts";
import type { ReportPlaces } from "./report-places.ts";
import type { ReportResults, ResultLimits } from "./report-results.ts";

/** A Report that should be, made when it is written: there may be a thousand of which one is written. */
export interface WantedReport {
  readonly namespace: string;
  readonly name: string;
  /** undefined while it is not known what it says. */
  readonly digest: string | undefined;
  make(): Report | undefined;
}

/**
 * The Reports there should be. Remembers their digests, so that a plan costs a look at what changed; forgets those that are
 * not wanted any more.
 */
export class WantedReports {
  readonly #limits: ResultLimits;
  readonly #ofObjects = new WeakMap<ReportResults, string>();
  #ofNamespaces = new Map<string, { readonly reported: number; readonly digest: string }>();

  constructor(limits: ResultLimits) {
    this.#limits = limits;
  }

  /** Something else offends in these. */
  namespacesChanged(namespaces: Iterable<string>): void {
    for (const namespace of namespaces) this.#ofNamespaces.delete(namespace);
  }

  of(index: AuditIndex, places: ReportPlaces): WantedReport[] {
    const wanted: WantedReport[] = [];
    for (const key of places.objects) {
      const offending = index.get(key);
      if (offending === undefined) continue;
      const { object } = offending;
      const found = index.details(key);
      wanted.push({
        namespace: object.namespace,
        name: reportName(object),
        digest: found && this.#digestOf(found, () => reportOf(object, found, this.#limits)),
        make: () => found && reportOf(object, found, this.#limits),
      });
    }
    const summaries = new Map<string, { readonly reported: number; readonly digest: string }>();
    for (const namespace of places.summed) {
      const reported = places.byNamespace.get(namespace) ?? 0;
      const make = (): Report | undefined => {
        const audit = index.namespaces.get(namespace);
        return (
          audit && summaryOf(namespace, audit, (policy) => index.resultOf(policy), reported, this.#limits)
        );
      };
      const before = this.#ofNamespaces.get(namespace);
      const digest = before?.reported === reported ? before.digest : reportDigest(make() ?? {});
      summaries.set(namespace, { reported, digest });
      wanted.push({ namespace, name: SUMMARY_NAME, digest, make });
    }
    this.#ofNamespaces = summaries;
    return wanted;
  }

  #digestOf(found: ReportResults, make: () => Report): string {
    const known = this.#ofObjects.get(found) ?? reportDigest(make());
    this.#ofObjects.set(found, known);
    return known;
  }
}

/** A Report as it is in the cluster. */
export interface ExistingReport {
  readonly namespace: string;
  readonly name: string;
  readonly digest: string;
  readonly resourceVersion: string;
}

/** What was asked of the API server last, and what came of it. */
export interface Written {
  /** undefined: it was removed. */
  readonly digest: string | undefined;
  readonly resourceVersion: string | undefined;
  readonly atMs: number;
}

export interface ReportPlan {
  readonly write: readonly WantedReport[];
  readonly remove: readonly { readonly namespace: string; readonly name: string }[];
  /** Something is left to be seen: what a report says, or what became of a request. */
  readonly isOpen: boolean;
}

/** The cache shows what was written no later, else something else was written since. */
const cacheLagMs = 5_000;

/**
 * Which reports to write and to remove. One that the API server keeps otherwise than it was written (a field its version of
 * the kind does not have) is not written again for that.
 */
export function planReports(
  wanted: readonly WantedReport[],
  existing: readonly ExistingReport[],
  written: ReadonlyMap<string, Written>,
  nowMs: number,
): ReportPlan {
  const there = new Map(existing.map((report) => [idOf(report), report]));
  const isRecent = (id: string): boolean =>
    nowMs - (written.get(id)?.atMs ?? Number.NEGATIVE_INFINITY) < cacheLagMs;
  let isOpen = false;
  const write: WantedReport[] = [];
  for (const report of wanted) {
    const id = idOf(report);
    const found = there.get(id);
    there.delete(id);
    if (report.digest === undefined) isOpen = true;
    if (report.digest === undefined || found?.digest === report.digest) continue;
    const last = written.get(id);
    if (last?.digest === report.digest) {
      if (found !== undefined && found.resourceVersion === last.resourceVersion) continue;
      if (isRecent(id)) {
        isOpen = true;
        continue;
      }
    }
    write.push(report);
  }
  const remove: ExistingReport[] = [];
  for (const [id, report] of there) {
    if (written.get(id)?.digest === undefined && isRecent(id)) isOpen = true;
    else remove.push(report);
  }
  return { write, remove, isOpen };
}

export function idOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}

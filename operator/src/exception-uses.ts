import {
  ANNOTATION,
  type ExceptionApproval,
  type ExceptionUse,
  parseExceptionApprovals,
  parseExceptionUses,
  type ShieldExceptionStatus,
} from "@shieldx/crds";
import type { ReplicaLease } from "./replicas.ts";

/** `status.usage` of a ShieldException. */
export type ExceptionUsage = NonNullable<ShieldExceptionStatus["usage"]>;
/** `status.approvedBy` of a ShieldException. */
export type ApprovedBy = NonNullable<ShieldExceptionStatus["approvedBy"]>;

/** More processes of the webhook than live at once; shares beyond are not kept, and counted again should they grow. */
const mostShares = 64;
const mostApprovals = 1_000;

/** What processes of the webhook have counted of one exception, by their ids, and which of them live. */
export interface Counted {
  readonly totals: ReadonlyMap<string, ExceptionUse>;
  readonly living: ReadonlySet<string>;
}

/**
 * Adds up what processes have counted. What `before` holds beyond its shares is from processes that are gone and stays;
 * a share grows to the total its process tells, and becomes part of what stays once the process is gone. So nothing
 * is counted twice, whoever adds up when.
 * @param now milliseconds since the epoch; no use is later, whatever the replica's clock said
 */
export function addUp(
  before: ExceptionUsage | undefined,
  { totals, living }: Counted,
  now: number,
): ExceptionUsage {
  const shares = new Map((before?.processes ?? []).map(({ id, count }) => [id, count]));
  let count = (before?.count ?? 0) - sum(shares.values());
  // Moments of uses that are news; none lies ahead, or an exception would count as used for as long.
  const moments = before?.lastUsed === undefined ? [] : [Math.min(Date.parse(before.lastUsed), now)];
  for (const [id, use] of totals) {
    if (use.count <= (shares.get(id) ?? 0)) continue;
    shares.set(id, use.count);
    moments.push(Math.min(use.lastUsedMs, now));
  }
  count = Math.min(Math.max(0, count) + sum(shares.values()), Number.MAX_SAFE_INTEGER);
  const processes = [...shares]
    .filter(([id]) => living.has(id))
    .slice(0, mostShares)
    .map(([id, share]) => ({ id, count: share }));
  return {
    ...(before?.objects === undefined ? {} : { objects: before.objects }),
    ...(moments.length === 0 ? {} : { lastUsed: seconds(Math.max(...moments)) }),
    ...(count === 0 && before?.count === undefined ? {} : { count }),
    ...(processes.length === 0 ? {} : { processes }),
  };
}

/**
 * Takes in how many existing objects need the exception now. When the last of them is gone, it has been needed until now.
 * @param objects undefined while the audit does not know yet
 */
export function withObjects(usage: ExceptionUsage, objects: number | undefined, now: number): ExceptionUsage {
  if (objects === undefined || objects === (usage.objects ?? 0)) return usage;
  return { ...usage, objects, ...(objects === 0 ? { lastUsed: seconds(now) } : {}) };
}

/** Who approved what the exception is now; an approval of an earlier generation stays until there is a later. */
export function approvedBy(
  before: ApprovedBy | undefined,
  approval: ExceptionApproval | undefined,
  generation: number,
): ApprovedBy | undefined {
  if (approval === undefined || approval.generation > generation) return before;
  if (before !== undefined && before.generation >= approval.generation) return before;
  return { user: approval.user, generation: approval.generation };
}

/**
 * What replicas tell of exceptions by their Leases, and the audit by what exists. Standbys listen too; only who leads
 * remembers processes that are gone until their counts are written.
 */
export class ExceptionUses {
  #totals = new Map<string, Map<string, ExceptionUse>>();
  readonly #approvals = new Map<string, ExceptionApproval>();
  #living: ReadonlySet<string> = new Set();
  readonly #seen = new Map<string, string>();
  #isLeading = false;
  #covered: ReadonlyMap<string, number> | undefined;
  /** What was written last, and when by the monotonic clock. */
  readonly #written = new Map<string, { readonly usage: ExceptionUsage; readonly atMs: number }>();
  readonly #listeners: ((uids: ReadonlySet<string>) => void)[] = [];
  readonly #auditListeners: ((keys: readonly string[] | "all") => void)[] = [];

  /** Called with uids of exceptions of which a replica tells something new. */
  onTold(listener: (uids: ReadonlySet<string>) => void): void {
    this.#listeners.push(listener);
  }

  /** Called with keys (`namespace/name`) of exceptions that other objects need than before. */
  onAudited(listener: (keys: readonly string[] | "all") => void): void {
    this.#auditListeners.push(listener);
  }

  /** From now on, or no longer, what is added up here is written. */
  lead(isLeading: boolean): void {
    this.#isLeading = isLeading;
    this.#written.clear();
    if (!isLeading) this.#covered = undefined;
  }

  /** To be called on every event of a replica's Lease. */
  observe(leases: readonly ReplicaLease[]): void {
    const changed = new Set<string>();
    const living = new Set<string>();
    // Who leads already may have written what is gone: a standby that kept it would write it again.
    const totals = this.#isLeading ? this.#totals : new Map<string, Map<string, ExceptionUse>>();
    for (const { metadata } of leases) {
      const { annotations = {} } = metadata;
      const report = parseExceptionUses(annotations[ANNOTATION.exceptionUses]);
      if (report !== undefined) {
        living.add(report.process);
        for (const use of report.uses) {
          const of = totals.get(use.uid) ?? new Map<string, ExceptionUse>();
          totals.set(use.uid, of);
          if (use.count <= (of.get(report.process)?.count ?? 0)) continue;
          of.set(report.process, use);
          changed.add(use.uid);
        }
      }
      this.#takeApprovals(metadata.name, annotations[ANNOTATION.exceptionApprovals], changed);
    }
    for (const name of this.#seen.keys()) {
      if (!leases.some(({ metadata }) => metadata.name === name)) this.#seen.delete(name);
    }
    this.#totals = totals;
    this.#living = living;
    if (changed.size > 0) for (const listener of this.#listeners) listener(changed);
  }

  #takeApprovals(lease: string, text: string | undefined, changed: Set<string>): void {
    if (text === undefined || this.#seen.get(lease) === text) return;
    this.#seen.set(lease, text);
    for (const approval of parseExceptionApprovals(text)) {
      const before = this.#approvals.get(approval.uid);
      if (before !== undefined && before.generation >= approval.generation) continue;
      this.#approvals.delete(approval.uid);
      this.#approvals.set(approval.uid, approval);
      changed.add(approval.uid);
    }
    for (const uid of this.#approvals.keys()) {
      if (this.#approvals.size <= mostApprovals) break;
      this.#approvals.delete(uid);
    }
  }

  approval(uid: string): ExceptionApproval | undefined {
    return this.#approvals.get(uid);
  }

  /** The audit's counts of objects by exception, `namespace/name`; it knows all there is. */
  audited(covered: ReadonlyMap<string, number>, changed: readonly string[]): void {
    const isFirst = this.#covered === undefined;
    this.#covered = covered;
    if (!isFirst && changed.length === 0) return;
    for (const listener of this.#auditListeners) listener(isFirst ? "all" : changed);
  }

  /** Existing objects that need the exception; undefined while the audit does not know yet. */
  objects(key: string): number | undefined {
    return this.#covered === undefined ? undefined : (this.#covered.get(key) ?? 0);
  }

  /** The sum as of now. `status`: as the cache shows it, which may lag behind what was written. */
  usage(uid: string, key: string, status: ExceptionUsage | undefined, now: number): ExceptionUsage {
    const before = this.#written.get(uid)?.usage ?? status;
    const totals = this.#totals.get(uid) ?? new Map<string, ExceptionUse>();
    return withObjects(addUp(before, { totals, living: this.#living }, now), this.objects(key), now);
  }

  /** What the status says at present, and since when by the monotonic clock, as far as it was written here. */
  written(uid: string): { readonly usage: ExceptionUsage; readonly atMs: number } | undefined {
    return this.#written.get(uid);
  }

  /** This sum is in the status now. `atMs`: by the monotonic clock; undefined when it was there already. */
  wrote(uid: string, usage: ExceptionUsage, atMs: number | undefined): void {
    const since = atMs ?? this.#written.get(uid)?.atMs ?? Number.NEGATIVE_INFINITY;
    this.#written.set(uid, { usage, atMs: since });
    const totals = this.#totals.get(uid);
    for (const id of totals?.keys() ?? []) if (!this.#living.has(id)) totals?.delete(id);
    if (totals?.size === 0) this.#totals.delete(uid);
  }

  /** The exception is gone. */
  forget(uid: string): void {
    this.#written.delete(uid);
    this.#totals.delete(uid);
    this.#approvals.delete(uid);
  }
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}

function seconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

import type { Clock } from "@shieldx/controller-runtime";
import {
  ANNOTATION,
  type ExceptionApproval,
  type ExceptionUse,
  type ExceptionUses as ExceptionUsesReport,
  MAX_REPORTED_USES,
  parseExceptionUses,
} from "@shieldx/crds";
import { ExceptionApprovals } from "./exception-approvals.ts";
import { addUp, type ExceptionUsage, type ProcessState, withObjects } from "./exception-usage.ts";
import type { ReplicaLease } from "./replicas.ts";

/** A Lease that is gone for so long, several renewals, is not written again: its process has ended. */
const GONE_AFTER_MS = 60_000;
const mostGone = 1_000;

export interface ExceptionUsesParts {
  readonly clock: Pick<Clock, "now" | "monotonicNow">;
  /** Whether there is an exception of this uid, or it is too early to tell. */
  readonly isKnown: (uid: string) => boolean;
}

type Totals = Map<string, Map<string, ExceptionUse>>;

/** What a Lease told last. */
interface Sighting {
  /** undefined: no uses yet. */
  readonly process: string | undefined;
  /** All its totals were there, so that one that was not was zero. */
  readonly isWhole: boolean;
}

/**
 * What replicas tell of exceptions by their Leases, and the audit by what exists. Standbys listen too; only who leads
 * remembers processes that are gone until their counts are written.
 */
export class ExceptionUses {
  readonly #parts: ExceptionUsesParts;
  /** By uid of the exception, then by process. */
  #totals: Totals = new Map();
  #sightings = new Map<string, Sighting>();
  /** Processes whose Leases are there, and whether they are renewed. */
  #present: ReadonlyMap<string, boolean> = new Map();
  /** Processes whose Leases vanished while they were renewed, and when by the monotonic clock. */
  readonly #gone = new Map<string, number>();
  readonly #approvals = new ExceptionApprovals();
  #isLeading = false;
  #leadingSinceMs = Number.NEGATIVE_INFINITY;
  #covered: ReadonlyMap<string, number> | undefined;
  /** What was written last, and when by the monotonic clock. */
  readonly #written = new Map<string, { readonly usage: ExceptionUsage; readonly atMs: number }>();
  readonly #listeners: ((uids: ReadonlySet<string>) => void)[] = [];
  readonly #auditListeners: ((keys: readonly string[] | "all") => void)[] = [];

  constructor(parts: ExceptionUsesParts) {
    this.#parts = parts;
  }

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
    this.#leadingSinceMs = this.#parts.clock.monotonicNow();
    this.#written.clear();
    this.#gone.clear();
    if (!isLeading) this.#covered = undefined;
  }

  /**
   * To be called on every event of a replica's Lease.
   * @param live names of those that are surely renewed
   */
  observe(leases: readonly ReplicaLease[], live: ReadonlySet<string>): void {
    const changed = new Set<string>();
    const present = new Map<string, boolean>();
    const sightings = new Map<string, Sighting>();
    // Who leads already may have written what is gone: a standby that kept it would write it again.
    const totals: Totals = this.#isLeading ? this.#totals : new Map();
    for (const { metadata } of leases) {
      const { name, annotations = {} } = metadata;
      const report = parseExceptionUses(annotations[ANNOTATION.exceptionUses]);
      const isWhole = (report?.uses.length ?? 0) < MAX_REPORTED_USES;
      sightings.set(name, { process: report?.process, isWhole });
      if (report !== undefined) {
        const isRevived = live.has(name) && this.#present.get(report.process) !== true;
        present.set(report.process, live.has(name));
        const grown = this.#takeUses(report, this.#sightings.get(name), totals);
        const told = isRevived ? report.uses.map(({ uid }) => uid) : grown;
        for (const uid of told) changed.add(uid);
      }
      const approvals = this.#approvals.take(name, annotations[ANNOTATION.exceptionApprovals]);
      for (const uid of approvals) changed.add(uid);
    }
    this.#approvals.keepLeases(new Set(sightings.keys()));
    this.#noteGone(present);
    // What replicas go on to tell of exceptions that are gone.
    for (const uid of totals.keys()) if (!this.#parts.isKnown(uid)) totals.delete(uid);
    this.#totals = totals;
    this.#present = present;
    this.#sightings = sightings;
    if (changed.size > 0) for (const listener of this.#listeners) listener(changed);
  }

  /** Returns uids of exceptions of which the process counted more. */
  #takeUses({ process, uses }: ExceptionUsesReport, last: Sighting | undefined, totals: Totals): string[] {
    // What it had not told when we saw it last was zero: it had told all, or it had not begun.
    const hadToldAll = last !== undefined && (last.process !== process || last.isWhole);
    const grown: string[] = [];
    for (const use of uses) {
      const of = totals.get(use.uid) ?? new Map<string, ExceptionUse>();
      totals.set(use.uid, of);
      const before = this.#totals.get(use.uid)?.get(process);
      if (before !== undefined && use.count <= before.count) {
        of.set(process, before);
        continue;
      }
      // It grew under our eyes, whatever the replica's clock shows.
      const isSeen = before !== undefined || hadToldAll;
      of.set(process, isSeen ? { ...use, lastUsedMs: this.#parts.clock.now() } : use);
      grown.push(use.uid);
    }
    return grown;
  }

  #noteGone(present: ReadonlyMap<string, boolean>): void {
    for (const id of present.keys()) this.#gone.delete(id);
    if (!this.#isLeading) return;
    for (const [id, wasRenewed] of this.#present) {
      if (wasRenewed && !present.has(id)) this.#gone.set(id, this.#parts.clock.monotonicNow());
    }
    for (const id of this.#gone.keys()) {
      if (this.#gone.size <= mostGone) break;
      this.#gone.delete(id);
    }
  }

  #stateOf(id: string, totals: ReadonlyMap<string, ExceptionUse>): ProcessState {
    const isRenewed = this.#present.get(id);
    if (isRenewed !== undefined) return isRenewed ? "living" : "silent";
    const goneAtMs = this.#gone.get(id);
    const isRecent = this.#parts.clock.monotonicNow() - (goneAtMs ?? this.#leadingSinceMs) < GONE_AFTER_MS;
    // As long as what it counted last is not written, it is not forgotten.
    if (goneAtMs !== undefined) return isRecent || totals.has(id) ? "leaving" : "gone";
    return isRecent ? "silent" : "gone";
  }

  /** Whose requests ShieldX let in that may have made the exception what it is, the latest last. */
  approvals(uid: string): readonly ExceptionApproval[] {
    return this.#approvals.of(uid);
  }

  /** The audit's counts of objects by exception, `namespace/name`; it knows all there is. */
  audited(covered: ReadonlyMap<string, number>, changed: readonly string[]): void {
    const isFirst = this.#covered === undefined;
    this.#covered = covered;
    if (!isFirst && changed.length === 0) return;
    for (const listener of this.#auditListeners) listener(isFirst ? "all" : changed);
  }

  /** Whether the audit has been through once. */
  get isAudited(): boolean {
    return this.#covered !== undefined;
  }

  /** Existing objects that need the exception `namespace/name`; undefined while the audit does not know yet. */
  objects(key: string): number | undefined {
    return this.#covered === undefined ? undefined : (this.#covered.get(key) ?? 0);
  }

  /**
   * The sum as of now.
   * @param status as the cache shows it, which may lag behind what was written
   * @param objects existing ones that need it; undefined where that is not known
   */
  usage(
    uid: string,
    status: ExceptionUsage | undefined,
    objects: number | undefined,
    now: number,
  ): ExceptionUsage {
    const before = this.#written.get(uid)?.usage ?? status;
    const totals = this.#totals.get(uid) ?? new Map<string, ExceptionUse>();
    const stateOf = (id: string): ProcessState => this.#stateOf(id, totals);
    return withObjects(addUp(before, { totals, stateOf }, now), objects, now);
  }

  /** What the status says at present, and since when by the monotonic clock, as far as it was written here. */
  written(uid: string): { readonly usage: ExceptionUsage; readonly atMs: number } | undefined {
    return this.#written.get(uid);
  }

  /** This sum is in the status now. `atMs`: by the monotonic clock; undefined when it was there already. */
  wrote(uid: string, usage: ExceptionUsage, atMs: number | undefined): void {
    if (!this.#parts.isKnown(uid)) return;
    const since = atMs ?? this.#written.get(uid)?.atMs ?? Number.NEGATIVE_INFINITY;
    this.#written.set(uid, { usage, atMs: since });
    const totals = this.#totals.get(uid);
    if (totals === undefined) return;
    const shares = new Map((usage.processes ?? []).map(({ id, count }) => [id, count]));
    for (const [id, { count }] of totals) {
      // Of one that is gone what was told since this sum was made is still to be added.
      const isWritten = !this.#gone.has(id) || count <= (shares.get(id) ?? 0);
      if (!this.#present.has(id) && isWritten) totals.delete(id);
    }
    if (totals.size === 0) this.#totals.delete(uid);
  }

  /** The exception is gone. */
  forget(uid: string): void {
    this.#written.delete(uid);
    this.#totals.delete(uid);
    this.#approvals.forget(uid);
  }
}

import {
  ANNOTATION,
  parseRolloutReports,
  type RolloutReport,
  type RolloutReports as RolloutReportsOfLease,
} from "@shieldx/crds";
import type { ReplicaLease } from "./replicas.ts";

/** What one process of the webhook counted of one turn of a rollout. */
export interface ProcessReport extends RolloutReport {
  readonly process: string;
}

export interface TurnReports {
  /** By all processes that counted in this turn, also such as have ended. */
  readonly processes: readonly ProcessReport[];
  /** Names of Leases that say that this turn is kept there now. */
  readonly keptBy: ReadonlySet<string>;
}

interface Told {
  readonly text: string | undefined;
  readonly reports: RolloutReportsOfLease | undefined;
}

/** Of processes that have ended, until their counts are part of the status or the turn is over. */
const mostEnded = 1_000;

/**
 * What replicas tell of rollouts by their Leases, as they tell of exceptions. A Lease that vanishes has told its last:
 * the leader remembers it until the turn is over.
 */
export class RolloutReports {
  readonly #told = new Map<string, Told>();
  /** By uid of the policy and process. */
  readonly #ended = new Map<string, ProcessReport>();
  readonly #listeners: ((uids: ReadonlySet<string>) => void)[] = [];

  /** Called with uids of policies of which some replica tells something else than before. */
  onTold(listener: (uids: ReadonlySet<string>) => void): void {
    this.#listeners.push(listener);
  }

  /** To be called on every event of a replica's Lease. */
  observe(leases: readonly ReplicaLease[]): void {
    const changed = new Set<string>();
    const names = new Set<string>();
    for (const { metadata } of leases) {
      names.add(metadata.name);
      this.#take(metadata.name, metadata.annotations?.[ANNOTATION.rollouts], changed);
    }
    for (const [name, { reports }] of this.#told) {
      if (names.has(name)) continue;
      this.#told.delete(name);
      if (reports !== undefined) this.#end(reports, changed);
    }
    if (changed.size > 0) for (const listener of this.#listeners) listener(changed);
  }

  #take(lease: string, text: string | undefined, changed: Set<string>): void {
    const before = this.#told.get(lease);
    if (before !== undefined && before.text === text) return;
    const reports = parseRolloutReports(text);
    this.#told.set(lease, { text, reports });
    const [rows, rowsBefore] = [rowsOf(reports), rowsOf(before?.reports)];
    for (const [uid, row] of rows) if (row !== rowsBefore.get(uid)) changed.add(uid);
    if (before?.reports === undefined) return;
    if (before.reports.process !== reports?.process) this.#end(before.reports, changed);
    else for (const { uid } of before.reports.rollouts) if (!rows.has(uid)) changed.add(uid);
  }

  #end({ process, rollouts }: RolloutReportsOfLease, changed: Set<string>): void {
    for (const report of rollouts) {
      changed.add(report.uid);
      this.#ended.set(`${report.uid} ${process}`, { ...report, process });
    }
    for (const key of this.#ended.keys()) {
      if (this.#ended.size <= mostEnded) break;
      this.#ended.delete(key);
    }
  }

  of(uid: string, digest: string, turn: number): TurnReports {
    const isOf = (report: RolloutReport): boolean =>
      report.uid === uid && report.digest === digest && report.turn === turn;
    const processes = new Map<string, ProcessReport>();
    for (const [key, report] of this.#ended) {
      if (report.uid !== uid) continue;
      if (isOf(report)) processes.set(report.process, report);
      else this.#ended.delete(key);
    }
    const keptBy = new Set<string>();
    for (const [lease, { reports }] of this.#told) {
      const report = reports?.rollouts.find(isOf);
      if (reports === undefined || report === undefined) continue;
      keptBy.add(lease);
      processes.set(reports.process, { ...report, process: reports.process });
    }
    return { processes: [...processes.values()], keptBy };
  }

  /** The policy is gone. */
  forget(uid: string): void {
    for (const [key, report] of this.#ended) if (report.uid === uid) this.#ended.delete(key);
  }
}

function rowsOf(reports: RolloutReportsOfLease | undefined): ReadonlyMap<string, string> {
  return new Map((reports?.rollouts ?? []).map((report) => [report.uid, JSON.stringify(report)]));
}

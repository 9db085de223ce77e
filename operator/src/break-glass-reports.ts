import {
  ANNOTATION,
  type LetThrough,
  parseBreakGlassReports,
  type BreakGlassReports as ReportsOfLease,
} from "@shieldx/crds";
import type { ReplicaLease } from "./replicas.ts";

/** What one process of the webhook let pass on account of one ShieldBreakGlass, that one policy would have refused. */
export interface ProcessLetThrough {
  readonly process: string;
  readonly requests: number;
}

export interface PolicyLetThrough {
  readonly processes: readonly ProcessLetThrough[];
  readonly requests: readonly LetThrough[];
}

interface Told {
  readonly text: string | undefined;
  readonly reports: ReportsOfLease | undefined;
}

/** Of processes that have ended, until what they told is part of a status. */
const mostEnded = 64;

/** What replicas tell of ShieldBreakGlasses by their Leases. A Lease that vanishes has told its last, which is kept. */
export class BreakGlassReports {
  readonly #told = new Map<string, Told>();
  /** By process. */
  readonly #ended = new Map<string, ReportsOfLease>();
  readonly #listeners: (() => void)[] = [];

  /** Called when some replica tells something else than before. */
  onTold(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** To be called on every event of a replica's Lease. */
  observe(leases: readonly ReplicaLease[]): void {
    let isNew = false;
    const names = new Set<string>();
    for (const { metadata } of leases) {
      names.add(metadata.name);
      const text = metadata.annotations?.[ANNOTATION.breakGlasses];
      const before = this.#told.get(metadata.name);
      if (before !== undefined && before.text === text) continue;
      const reports = parseBreakGlassReports(text);
      if (before?.reports !== undefined && before.reports.process !== reports?.process)
        this.#end(before.reports);
      this.#told.set(metadata.name, { text, reports });
      isNew ||= before !== undefined || text !== undefined;
    }
    for (const [name, { reports }] of this.#told) {
      if (names.has(name)) continue;
      this.#told.delete(name);
      if (reports !== undefined) this.#end(reports);
      isNew ||= reports !== undefined;
    }
    if (isNew) for (const listener of this.#listeners) listener();
  }

  #end(reports: ReportsOfLease): void {
    if (reports.counts.length === 0) return;
    this.#ended.set(reports.process, reports);
    const [first] = this.#ended.keys();
    if (this.#ended.size > mostEnded && first !== undefined) this.#ended.delete(first);
  }

  get #all(): ReportsOfLease[] {
    const live = [...this.#told.values()].flatMap(({ reports }) => reports ?? []);
    const processes = new Set(live.map(({ process }) => process));
    return [...live, ...[...this.#ended.values()].filter(({ process }) => !processes.has(process))];
  }

  /** What passed on account of one ShieldBreakGlass, by its uid, that the policy would have refused. */
  of(glass: string, policy: string): PolicyLetThrough {
    const isOf = (each: { glass: string; policy: string }): boolean =>
      each.glass === glass && each.policy === policy;
    const processes = this.#all.flatMap(({ process, counts }) =>
      counts.filter(isOf).map(({ requests }) => ({ process, requests })),
    );
    return { processes, requests: this.#all.flatMap(({ requests }) => requests.filter(isOf)) };
  }

  /** uids of all on whose account something passed that the policy would have refused. */
  glassesOf(policy: string): ReadonlySet<string> {
    const counts = this.#all.flatMap((reports) => reports.counts);
    return new Set(counts.filter((each) => each.policy === policy).map(({ glass }) => glass));
  }

  /** Names of the Leases of replicas that go by it. */
  openAt(glass: string): ReadonlySet<string> {
    const names = [...this.#told].filter(([, { reports }]) => reports?.open.includes(glass) === true);
    return new Set(names.map(([name]) => name));
  }
}

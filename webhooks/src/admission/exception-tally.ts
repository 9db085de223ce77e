import {
  type ExceptionApproval,
  type ExceptionUse,
  fittingApprovals,
  formatExceptionApprovals,
  formatExceptionUses,
  MAX_REPORTED_USES,
} from "@shieldx/crds";

export interface ExceptionTallyParts {
  /** Names this process, and no other, ever. */
  readonly process: string;
  /** uid of the exception `namespace/name`; undefined where it is gone. */
  readonly uidOf: (key: string) => string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Somebody made or changed an exception, or not all of that fitted into what was told: that is to be told soon. */
  readonly onApproval: () => void;
}

/** What is told, as annotations of the Lease. */
export interface TallyReport {
  readonly exceptionUses: string | undefined;
  readonly exceptionApprovals: string | undefined;
  /** To be called once it stands in the Lease: until then it counts as untold. */
  readonly written: () => void;
}

interface Total extends ExceptionUse {
  /** `count` when it was last told. */
  readonly told: number;
}

interface Approval extends ExceptionApproval {
  readonly isTold: boolean;
}

/** More exceptions than anybody keeps; those told longest ago are forgotten, so that memory has an end. */
const mostTotals = 10_000;
/** More than are made between two writes of the Lease. */
const mostApprovals = 1_000;

/**
 * What this process saw of exceptions: how often each let a request pass since the process began, and who made those that
 * were made lately. It goes with the replica's Lease; the operator adds up.
 */
export class ExceptionTally {
  readonly #parts: ExceptionTallyParts;
  /** Told longest ago first. */
  readonly #totals = new Map<string, Total>();
  /** By all that tells one from another; told longest ago first. */
  readonly #approvals = new Map<string, Approval>();

  constructor(parts: ExceptionTallyParts) {
    this.#parts = parts;
  }

  /** @param key `namespace/name` of an exception that let one request pass */
  used(key: string): void {
    const uid = this.#parts.uidOf(key);
    if (uid === undefined) return;
    const before = this.#totals.get(uid);
    const count = (before?.count ?? 0) + 1;
    this.#totals.set(uid, { uid, count, told: before?.told ?? 0, lastUsedMs: this.#parts.now() });
    dropFirst(this.#totals, mostTotals);
  }

  /** A later request may be refused by another webhook: what was let in before it is kept beside it. */
  approved(approval: ExceptionApproval): void {
    const key = keyOf(approval);
    this.#approvals.delete(key);
    this.#approvals.set(key, { ...approval, isTold: false });
    dropFirst(this.#approvals, mostApprovals);
    this.#parts.onApproval();
  }

  /** The exception is gone: nobody is to hear of it any more. */
  forget(uid: string): void {
    this.#totals.delete(uid);
    for (const [key, approval] of this.#approvals) if (approval.uid === uid) this.#approvals.delete(key);
  }

  /** Whether something has not been told yet. */
  get hasNews(): boolean {
    for (const { count, told } of this.#totals.values()) if (count !== told) return true;
    return this.#hasUntoldApprovals;
  }

  /** Where not all fits, what is news goes first, then what was told longest ago, and the rest with the next. */
  report(): TallyReport {
    const isNews = ({ count, told }: Total): boolean => count !== told;
    const totals = newsFirst([...this.#totals.values()], isNews).slice(0, MAX_REPORTED_USES);
    const approvals = fittingApprovals(newsFirst([...this.#approvals.values()], ({ isTold }) => !isTold));
    // In the same order each time, or every renewal would look like news.
    const uses = [...totals].sort((a, b) => (a.uid < b.uid ? -1 : 1));
    return {
      exceptionUses: formatExceptionUses({ process: this.#parts.process, uses }),
      exceptionApprovals: formatExceptionApprovals([...approvals].sort(byKey)),
      written: () => this.#written(totals, approvals),
    };
  }

  #written(totals: readonly ExceptionUse[], approvals: readonly ExceptionApproval[]): void {
    for (const { uid, count } of totals) {
      const total = this.#totals.get(uid);
      if (total === undefined) continue;
      this.#totals.delete(uid);
      this.#totals.set(uid, { ...total, told: count });
    }
    for (const key of approvals.map(keyOf)) {
      const approval = this.#approvals.get(key);
      if (approval === undefined) continue;
      this.#approvals.delete(key);
      this.#approvals.set(key, { ...approval, isTold: true });
    }
    if (this.#hasUntoldApprovals) this.#parts.onApproval();
  }

  get #hasUntoldApprovals(): boolean {
    for (const { isTold } of this.#approvals.values()) if (!isTold) return true;
    return false;
  }
}

function keyOf({ uid, generation, specDigest, user }: ExceptionApproval): string {
  return JSON.stringify([uid, generation, specDigest, user]);
}

function byKey(a: ExceptionApproval, b: ExceptionApproval): number {
  return keyOf(a) < keyOf(b) ? -1 : 1;
}

function newsFirst<T>(all: readonly T[], isNews: (one: T) => boolean): T[] {
  return [...all.filter(isNews), ...all.filter((one) => !isNews(one))];
}

function dropFirst(map: Map<string, unknown>, most: number): void {
  const [first] = map.keys();
  if (map.size > most && first !== undefined) map.delete(first);
}

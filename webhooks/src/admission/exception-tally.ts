import {
  type ExceptionApproval,
  type ExceptionUse,
  formatExceptionApprovals,
  formatExceptionUses,
  MAX_REPORTED_APPROVALS,
  MAX_REPORTED_USES,
} from "@shieldx/crds";

export interface ExceptionTallyParts {
  /** Names this process, and no other, ever. */
  readonly process: string;
  /** uid of the exception `namespace/name`; undefined where it is gone. */
  readonly uidOf: (key: string) => string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Somebody made or changed an exception: that is to be told soon. */
  readonly onApproval: () => void;
}

interface Total extends ExceptionUse {
  /** `count` when it was last told. */
  readonly told: number;
}

/** More exceptions than anybody keeps; those used longest ago are forgotten, so that memory has an end. */
const mostTotals = 10_000;

/**
 * What this process saw of exceptions: how often each let a request pass since the process began, and who made those that
 * were made lately. It goes with the replica's Lease; the operator adds up.
 */
export class ExceptionTally {
  readonly #parts: ExceptionTallyParts;
  /** Told longest ago first. */
  readonly #totals = new Map<string, Total>();
  #approvals: readonly ExceptionApproval[] = [];

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
    if (this.#totals.size <= mostTotals) return;
    const [oldest] = this.#totals.keys();
    if (oldest !== undefined) this.#totals.delete(oldest);
  }

  approved(approval: ExceptionApproval): void {
    const others = this.#approvals.filter(({ uid }) => uid !== approval.uid);
    this.#approvals = [...others, approval].slice(-MAX_REPORTED_APPROVALS);
    this.#parts.onApproval();
  }

  get hasNews(): boolean {
    for (const { count, told } of this.#totals.values()) if (count !== told) return true;
    return false;
  }

  /** As annotations of the Lease. Where not all fits, what is news goes first, and the rest with the next. */
  report(): { readonly exceptionUses: string | undefined; readonly exceptionApprovals: string | undefined } {
    const totals = [...this.#totals.values()];
    const news = totals.filter(({ count, told }) => count !== told);
    const known = totals.filter(({ count, told }) => count === told).reverse();
    const told = [...news, ...known].slice(0, MAX_REPORTED_USES);
    for (const total of told.slice(0, news.length)) {
      this.#totals.delete(total.uid);
      this.#totals.set(total.uid, { ...total, told: total.count });
    }
    return {
      exceptionUses: formatExceptionUses({ process: this.#parts.process, uses: told }),
      exceptionApprovals: formatExceptionApprovals(this.#approvals),
    };
  }
}

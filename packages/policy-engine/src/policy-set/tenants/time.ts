import { TimeShare } from "../time-share.ts";

/** How much of a process's time the policies of one namespace may take, and what they may take at once. */
export const TENANT_SHARE = 0.1;
const burstMs = 500;
/** The same for all namespaces together: who has many of them gains nothing by that. */
const allTenantsShare = 0.5;
const allTenantsBurstMs = 2_000;
/** Namespaces that are remembered; one that is forgotten begins anew. */
const mostRemembered = 4_096;

/** Who takes how much time, by namespace. Times are milliseconds of a monotonic clock. */
export class TenantTime {
  readonly #now: () => number;
  readonly #all: TimeShare;
  readonly #shares = new Map<string, TimeShare>();

  constructor(now: () => number) {
    this.#now = now;
    this.#all = new TimeShare(allTenantsShare, allTenantsBurstMs, now());
  }

  /** Whether the policies of the namespace have to wait: they took their share, or all took theirs and these the most. */
  isUsedUp(namespace: string): boolean {
    const nowMs = this.#now();
    const own = this.#shares.get(namespace);
    const isOver = this.#all.waitMs(nowMs) > 0;
    if (own === undefined) return false;
    return own.waitMs(nowMs) > 0 || (isOver && own.leftShare < 0.5);
  }

  used(namespace: string, ms: number): void {
    const nowMs = this.#now();
    const known = this.#shares.get(namespace);
    const own = known ?? new TimeShare(TENANT_SHARE, burstMs, nowMs);
    this.#shares.delete(namespace);
    this.#shares.set(namespace, own);
    own.used(ms);
    this.#all.used(ms);
    if (this.#shares.size <= mostRemembered) return;
    for (const oldest of this.#shares.keys()) {
      this.#shares.delete(oldest);
      break;
    }
  }
}

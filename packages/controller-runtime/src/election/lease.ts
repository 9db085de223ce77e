import { formatMicroTime, parseMicroTime } from "./micro-time.ts";

/** `coordination.k8s.io/v1` LeaseSpec, as far as an election needs it. */
export interface LeaseSpec {
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  acquireTime?: string;
  renewTime?: string;
  leaseTransitions?: number;
}

/** A Lease as it was read. */
export interface ObservedLease {
  readonly resourceVersion: string;
  readonly uid: string;
  readonly spec: LeaseSpec;
}

export interface LeaseTiming {
  /** How long a standby waits after the last change it saw before it takes over. Default 15,000 ms. */
  readonly leaseDurationMs: number;
  /** How long after the start of its last successful renewal a leader still acts. Default 10,000 ms. */
  readonly renewDeadlineMs: number;
  /** Between renewals, and (with jitter) between attempts. Default 2,000 ms. */
  readonly retryPeriodMs: number;
  /** Retries wait `retryPeriodMs × (1 + random × jitterFactor)`. Default 1.2. */
  readonly jitterFactor: number;
}

/** client-go's defaults. */
export const defaultLeaseTiming: LeaseTiming = {
  leaseDurationMs: 15_000,
  renewDeadlineMs: 10_000,
  retryPeriodMs: 2_000,
  jitterFactor: 1.2,
};

/** What the shell is to do next. `write` and `read` are answered by one of the machine's inputs. */
export type ElectionCommand =
  | { readonly kind: "wait"; readonly untilMs: number }
  | { readonly kind: "read" }
  | { readonly kind: "create"; readonly spec: LeaseSpec }
  | { readonly kind: "update"; readonly over: ObservedLease; readonly spec: LeaseSpec }
  | { readonly kind: "stop"; readonly reason: string };

export type ElectionRole = "standby" | "leading" | "lost";

interface Observation {
  readonly lease: ObservedLease;
  /** When this version of it was first seen, by our monotonic clock. */
  readonly changedAt: number;
}

/**
 * One candidate of a Lease election, without I/O. Times are milliseconds of the candidate's own monotonic
 * clock; `wallMs` is only written into the Lease for people to read, never judged by.
 *
 * Why two candidates never may write at once: a candidate takes over by an update that succeeds only on the
 * very version it observed, and not before that version has stood for `leaseDurationMs` of its clock.
 * So the holder's last renewal was sent before the observation, and the holder stops by itself
 * `renewDeadlineMs` after it *began* to send it. The difference of the two is what clock rates may differ by.
 */
export class LeaseElection {
  readonly identity: string;
  readonly timing: LeaseTiming;
  readonly #random: () => number;
  #role: ElectionRole = "standby";
  #observed: Observation | undefined;
  /** Whether the absence of the Lease is known, rather than nothing yet. */
  #isAbsent = false;
  /** Start of the last renewal that succeeded. */
  #renewedAt = Number.NEGATIVE_INFINITY;
  #suspended = false;
  #mustRead = true;
  #notBefore = 0;
  #nextRenewalAt = 0;
  #nextPollAt = 0;
  #isWatching = false;
  #lostReason = "";

  constructor(identity: string, timing: LeaseTiming, random: () => number) {
    if (identity === "") throw new TypeError("a candidate's identity must not be empty: that means nobody");
    if (timing.leaseDurationMs <= timing.renewDeadlineMs) {
      throw new RangeError("leaseDurationMs must exceed renewDeadlineMs, or two leaders could overlap");
    }
    if (timing.renewDeadlineMs <= timing.retryPeriodMs * timing.jitterFactor) {
      throw new RangeError(
        "renewDeadlineMs must exceed retryPeriodMs × jitterFactor, or one failed renewal loses",
      );
    }
    this.identity = identity;
    this.timing = timing;
    this.#random = random;
  }

  get role(): ElectionRole {
    return this.#role;
  }

  /** Who is thought to hold the Lease; "" for nobody. */
  get holder(): string {
    return this.#observed?.lease.spec.holderIdentity ?? "";
  }

  /** Whether a write may begin now. Safe to ask at any time: it does not rely on a timer having fired. */
  mayWrite(nowMs: number): boolean {
    return this.#role === "leading" && !this.#suspended && nowMs < this.mayWriteUntilMs;
  }

  /** When the right to write lapses unless renewed. */
  get mayWriteUntilMs(): number {
    return this.#renewedAt + this.timing.renewDeadlineMs;
  }

  /** Tells whether changes of the Lease are being watched; without that, standbys ask again and again. */
  setWatching(isWatching: boolean): void {
    this.#isWatching = isWatching;
  }

  /** The answer to `read`: what the API server has now. */
  wasRead(lease: ObservedLease | undefined, nowMs: number): void {
    this.#mustRead = false;
    this.#nextPollAt = nowMs + this.#jittered();
    if (lease === undefined) {
      this.#isAbsent = true;
      if (this.#role === "leading") this.#suspended = true;
      return;
    }
    this.#see(lease, nowMs);
    if (this.#role !== "leading") return;
    if (this.holder !== this.identity) this.#lose(`${this.holder || "nobody"} holds the Lease now`);
    // Ours, under a version we did not know: an earlier renewal arrived although we got no answer to it.
    else this.#nextRenewalAt = nowMs;
  }

  /** A watch event. It may be older than what is known, so a leader only takes it as a reason to read. */
  wasSeen(lease: ObservedLease, nowMs: number): void {
    if (this.#role !== "leading") this.#see(lease, nowMs);
    else if (lease.spec.holderIdentity !== this.identity) this.#mustRead = true;
  }

  /** A watch saw the Lease of this uid deleted. */
  wasDeleted(uid: string): void {
    if (this.#observed !== undefined && this.#observed.lease.uid !== uid) return;
    this.#isAbsent = true;
    // Another candidate may create it any moment: no write until we have.
    if (this.#role === "leading") this.#suspended = true;
  }

  /** The answer to `create` or `update`: it succeeded. `startedAtMs` is when the request was begun. */
  wasWritten(lease: ObservedLease, startedAtMs: number, nowMs: number): void {
    this.#isAbsent = false;
    this.#suspended = false;
    this.#observed = { lease, changedAt: nowMs };
    if (this.#role === "lost") return;
    this.#role = "leading";
    this.#renewedAt = startedAtMs;
    this.#nextRenewalAt = startedAtMs + this.timing.retryPeriodMs;
  }

  /** The answer to `create` or `update`: somebody else was first (Conflict, AlreadyExists, NotFound). */
  wasRefused(nowMs: number): void {
    this.#mustRead = true;
    this.#notBefore = nowMs + this.#random() * (this.timing.retryPeriodMs / 10);
  }

  /** The answer to any command: it failed, and whether it took effect is not known. */
  hasFailed(nowMs: number): void {
    this.#mustRead = true;
    this.#notBefore = nowMs + (this.#role === "leading" ? this.timing.retryPeriodMs / 4 : this.#jittered());
  }

  /** What to do now. Ask again after each input and when a wait ends. */
  next(nowMs: number, wallMs: number): ElectionCommand {
    if (this.#role === "leading" && nowMs >= this.mayWriteUntilMs) {
      this.#lose(`the Lease was not renewed within ${this.timing.renewDeadlineMs} ms`);
    }
    switch (this.#role) {
      case "lost":
        return { kind: "stop", reason: this.#lostReason };
      case "leading":
        return this.#nextAsLeader(nowMs, wallMs);
      case "standby":
        return this.#nextAsStandby(nowMs, wallMs);
      default:
        return this.#role satisfies never;
    }
  }

  /** Ends a leadership by own will; returns the update that tells the others, if there is one to send. */
  release(wallMs: number): { over: ObservedLease; spec: LeaseSpec } | undefined {
    const wasLeading = this.#role === "leading";
    this.#lose("released");
    if (!wasLeading || this.#observed === undefined || this.#isAbsent) return undefined;
    const { lease } = this.#observed;
    const time = this.#timeAfter(lease.spec.renewTime, wallMs);
    const spec = {
      holderIdentity: "",
      leaseDurationSeconds: 1,
      acquireTime: time,
      renewTime: time,
      leaseTransitions: lease.spec.leaseTransitions ?? 0,
    };
    return { over: lease, spec };
  }

  #nextAsLeader(nowMs: number, wallMs: number): ElectionCommand {
    const lapse = this.mayWriteUntilMs;
    if (this.#mustRead) return this.#after(this.#notBefore, nowMs, lapse, () => ({ kind: "read" }));
    if (this.#isAbsent) return this.#after(this.#notBefore, nowMs, lapse, () => this.#write(wallMs));
    return this.#after(Math.max(this.#nextRenewalAt, this.#notBefore), nowMs, lapse, () =>
      this.#write(wallMs),
    );
  }

  #nextAsStandby(nowMs: number, wallMs: number): ElectionCommand {
    const forever = Number.POSITIVE_INFINITY;
    // A conflict is read up at once; only failures of the connection make reading wait.
    if (this.#mustRead) return this.#after(this.#notBefore, nowMs, forever, () => ({ kind: "read" }));
    const freeAt = Math.max(this.#freeAt(), this.#notBefore);
    if (nowMs >= freeAt) return this.#write(wallMs);
    if (this.#isWatching) return { kind: "wait", untilMs: freeAt };
    if (nowMs >= this.#nextPollAt) return { kind: "read" };
    return { kind: "wait", untilMs: Math.min(freeAt, this.#nextPollAt) };
  }

  /** When the Lease may be taken, by our own observation. */
  #freeAt(): number {
    const observed = this.#observed;
    if (observed === undefined) return Number.NEGATIVE_INFINITY;
    const { holderIdentity = "", leaseDurationSeconds } = observed.lease.spec;
    if (holderIdentity === "" || holderIdentity === this.identity) return Number.NEGATIVE_INFINITY;
    // What the holder told about itself counts: it may run with another configuration than ours. A Lease that
    // was deleted under its holder is waited for as well; the holder is likely to be there still.
    const promisedMs = (leaseDurationSeconds ?? 0) * 1000;
    return observed.changedAt + (promisedMs > 0 ? promisedMs : this.timing.leaseDurationMs);
  }

  #after(
    atMs: number,
    nowMs: number,
    noLaterThanMs: number,
    command: () => ElectionCommand,
  ): ElectionCommand {
    return nowMs >= atMs ? command() : { kind: "wait", untilMs: Math.min(atMs, noLaterThanMs) };
  }

  #write(wallMs: number): ElectionCommand {
    const previous = this.#observed?.lease.spec ?? {};
    const isRenewal = previous.holderIdentity === this.identity && !this.#isAbsent;
    const time = this.#timeAfter(previous.renewTime, wallMs);
    const transitions = previous.leaseTransitions ?? 0;
    const hadAnother = this.#observed !== undefined && previous.holderIdentity !== this.identity;
    const spec: LeaseSpec = {
      holderIdentity: this.identity,
      leaseDurationSeconds: Math.max(1, Math.ceil(this.timing.leaseDurationMs / 1000)),
      acquireTime: isRenewal ? (previous.acquireTime ?? time) : time,
      renewTime: time,
      leaseTransitions: hadAnother ? transitions + 1 : transitions,
    };
    if (this.#observed === undefined || this.#isAbsent) return { kind: "create", spec };
    return { kind: "update", over: this.#observed.lease, spec };
  }

  #see(lease: ObservedLease, nowMs: number): void {
    this.#isAbsent = false;
    const before = this.#observed;
    // Any new version counts as a sign of life, an edited label too: rather a late takeover than two leaders.
    const isSame = before?.lease.uid === lease.uid && before.lease.resourceVersion === lease.resourceVersion;
    const changedAt = isSame ? before.changedAt : nowMs;
    this.#observed = { lease, changedAt };
  }

  #lose(reason: string): void {
    if (this.#role === "lost") return;
    this.#role = "lost";
    this.#lostReason = reason;
  }

  #jittered(): number {
    return this.timing.retryPeriodMs * (1 + this.#random() * this.timing.jitterFactor);
  }

  /**
   * The time to write as renewTime: our wall clock, but never what stands there already. The API server makes
   * no new version of an update that changes nothing, and the others would not see the renewal.
   */
  #timeAfter(last: string | undefined, wallMs: number): string {
    const now = Math.trunc(wallMs * 1000);
    const before = parseMicroTime(last);
    const stuck = before !== undefined && formatMicroTime(now) === formatMicroTime(before);
    return formatMicroTime(stuck ? now + 1 : now);
  }
}

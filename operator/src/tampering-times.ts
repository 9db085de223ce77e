import type { Clock } from "@shieldx/controller-runtime";
import type { ShieldPolicyObject } from "./kinds.ts";

/** That something which enforces policies was found changed or deleted, and was put back. */
export interface TamperingTime {
  readonly id: string;
  /** When it began at the earliest, milliseconds since the epoch. */
  readonly fromMs: number;
  /** Nobody was there to see when: any time since the policy was enforced may be it. */
  readonly isUnseen: boolean;
  readonly untilMs: number;
  readonly message: string;
}

interface Noted extends Pick<TamperingTime, "id" | "untilMs" | "message"> {
  /** Names of ShieldPolicies, or all that the webhook enforces. */
  readonly policies: ReadonlySet<string> | "webhook";
  readonly fromMs: number | undefined;
}

/** A change that somebody watches is undone within a second; with room for a slow API server. */
const SEEN_WITHIN_MS = 5_000;
/** What a process finds this soon after its start may have been so for long. */
const STARTING_MS = 30_000;
const MOST_KEPT = 64;

/** When what enforces was tampered with, for those who record what that let pass. The latest only. */
export class TamperingTimes {
  readonly #clock: Pick<Clock, "now" | "monotonicNow">;
  readonly #startedMs: number;
  #times: Noted[] = [];
  /** When each policy came into force, as this process read it first, milliseconds since the epoch. */
  readonly #enforcedSince = new Map<string, number>();
  readonly #listeners: (() => void)[] = [];

  constructor(clock: Pick<Clock, "now" | "monotonicNow">) {
    this.#clock = clock;
    this.#startedMs = clock.monotonicNow();
  }

  onNote(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** To be called as soon as a policy is read: what happened before is told by what its status said then. */
  saw({ metadata: { name }, status }: ShieldPolicyObject): void {
    const enforced = status?.conditions?.find(({ type }) => type === "Enforced");
    if (enforced?.status === "True") this.#enforcedSince.set(name, Date.parse(enforced.lastTransitionTime));
  }

  gone(policy: string): void {
    this.#enforcedSince.delete(policy);
  }

  note(object: string, policies: Noted["policies"], message: string): void {
    const now = this.#clock.now();
    const isStarting = this.#clock.monotonicNow() - this.#startedMs < STARTING_MS;
    const time = {
      id: `tampering-${object}-${Math.floor(now / 1000)}`.slice(0, 128),
      policies,
      fromMs: isStarting ? undefined : now - SEEN_WITHIN_MS,
      untilMs: now,
      message,
    };
    this.#times = [...this.#times, time].slice(-MOST_KEPT);
    for (const listener of this.#listeners) listener();
  }

  /** Those that concern the policy. What was over before there was this policy is another's. */
  of({ metadata: { name, creationTimestamp }, status }: ShieldPolicyObject): TamperingTime[] {
    const createdMs = Date.parse(creationTimestamp ?? "") || 0;
    return this.#times
      .filter(({ policies }) =>
        policies === "webhook" ? status?.enforcedBy === "Webhook" : policies.has(name),
      )
      .filter(({ untilMs }) => untilMs > createdMs)
      .map(({ id, fromMs, untilMs, message }) => ({
        id,
        fromMs: Math.max(createdMs, fromMs ?? Math.min(untilMs, this.#enforcedSince.get(name) ?? untilMs)),
        isUnseen: fromMs === undefined,
        untilMs,
        message,
      }));
  }
}

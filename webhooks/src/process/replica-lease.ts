import {
  type Client,
  type Clock,
  formatMicroTime,
  isNotFound,
  Lease,
  type Logger,
  type TimerHandle,
} from "@shieldx/controller-runtime";
import { ANNOTATION, replicaLeaseName } from "@shieldx/crds";
import { fieldManager } from "../names.ts";

/** What a replica says about itself. */
export interface ReplicaReport {
  readonly policySetDigest?: string;
  readonly keptPolicies?: string | undefined;
  readonly policyProblems?: string | undefined;
  readonly exceptionUses?: string | undefined;
  readonly exceptionApprovals?: string | undefined;
  readonly rollouts?: string | undefined;
  readonly breakGlasses?: string | undefined;
  /** To be called once the report stands in the Lease. */
  readonly written?: () => void;
  readonly servingLeaf?: string;
  /** When the serving leaf ends, milliseconds since the epoch. */
  readonly servingLeafNotAfterMs?: number;
  readonly candidateLeaf?: string;
}

export interface ReplicaLeaseParts {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly namespace: string;
  readonly replica: string;
  /** The report as of now; read each time the Lease is written. */
  readonly report: () => ReplicaReport;
}

const renewMs = 10_000;
const retryMs = 1_000;
const leaseSeconds = 30;

/**
 * The Lease by which the operator knows this replica, its policy set and its leaves. Written at once when something
 * changes, and every 10 s. One write at a time: what changes meanwhile goes into the next.
 */
export class ReplicaLease {
  readonly #parts: ReplicaLeaseParts;
  #timer: TimerHandle | undefined;
  #writing: Promise<void> | undefined;
  #isDirty = false;
  #isStopped = false;
  #hasFailed = false;

  constructor(parts: ReplicaLeaseParts) {
    this.#parts = parts;
  }

  /** Something changed: writes now, or right after the write under way. */
  changed(): void {
    if (this.#isStopped) return;
    this.#isDirty = true;
    this.#writing ??= this.#writeAll();
  }

  /** Resolves when the report of now has been written once. Rejects with what the client threw. */
  async publish(signal?: AbortSignal): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    const write = this.#write(signal);
    // Never rejects: `changed` and `remove` wait for it too.
    this.#writing = write.then(
      () => this.#written(renewMs),
      () => this.#written(retryMs),
    );
    await write;
  }

  /** Writes no more and removes the Lease. */
  async remove(): Promise<void> {
    this.#isStopped = true;
    this.#parts.clock.clearTimeout(this.#timer);
    await this.#writing;
    try {
      await this.#parts.client.delete(Lease, this.#key(), { timeoutMs: 5_000 });
    } catch (error) {
      if (!isNotFound(error))
        this.#parts.logger.warn({ err: error }, "the replica's Lease could not be removed; it expires");
    }
  }

  async #writeAll(): Promise<void> {
    let nextMs = renewMs;
    while (this.#isDirty && !this.#isStopped) {
      this.#isDirty = false;
      try {
        await this.#write();
        if (this.#hasFailed) this.#parts.logger.info({}, "the replica's Lease is written again");
        this.#hasFailed = false;
        nextMs = renewMs;
      } catch (error) {
        if (!this.#hasFailed)
          this.#parts.logger.warn({ err: error }, "the replica's Lease could not be written; trying again");
        this.#hasFailed = true;
        nextMs = retryMs;
      }
    }
    this.#written(nextMs);
  }

  #written(nextMs: number): void {
    this.#writing = undefined;
    this.#renewIn(this.#isDirty ? 0 : nextMs);
  }

  #renewIn(delayMs: number): void {
    const { clock } = this.#parts;
    clock.clearTimeout(this.#timer);
    if (!this.#isStopped) this.#timer = clock.setTimeout(() => this.changed(), delayMs);
  }

  async #write(signal?: AbortSignal): Promise<void> {
    const { client, clock, replica, report } = this.#parts;
    const { policySetDigest, keptPolicies, policyProblems, ...others } = report();
    const { exceptionUses, exceptionApprovals, rollouts, breakGlasses, written, ...leaves } = others;
    const { servingLeaf, servingLeafNotAfterMs, candidateLeaf } = leaves;
    const lease: Lease = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: {
        ...this.#key(),
        labels: { "app.kubernetes.io/component": "webhooks", "app.kubernetes.io/part-of": "shieldx" },
        annotations: {
          ...(policySetDigest === undefined ? {} : { [ANNOTATION.policySetDigest]: policySetDigest }),
          ...(keptPolicies === undefined ? {} : { [ANNOTATION.keptPolicies]: keptPolicies }),
          ...(policyProblems === undefined ? {} : { [ANNOTATION.policyProblems]: policyProblems }),
          ...(exceptionUses === undefined ? {} : { [ANNOTATION.exceptionUses]: exceptionUses }),
          ...(exceptionApprovals === undefined
            ? {}
            : { [ANNOTATION.exceptionApprovals]: exceptionApprovals }),
          ...(rollouts === undefined ? {} : { [ANNOTATION.rollouts]: rollouts }),
          ...(breakGlasses === undefined ? {} : { [ANNOTATION.breakGlasses]: breakGlasses }),
          ...(servingLeaf === undefined ? {} : { [ANNOTATION.servingLeaf]: servingLeaf }),
          ...(servingLeafNotAfterMs === undefined
            ? {}
            : { [ANNOTATION.servingLeafNotAfter]: new Date(servingLeafNotAfterMs).toISOString() }),
          ...(candidateLeaf === undefined ? {} : { [ANNOTATION.candidateLeaf]: candidateLeaf }),
        },
      },
      spec: {
        holderIdentity: replica,
        leaseDurationSeconds: leaseSeconds,
        renewTime: formatMicroTime(clock.now() * 1000),
      },
    };
    await client.apply(Lease, lease, {
      fieldManager,
      force: true,
      timeoutMs: 5_000,
      ...(signal === undefined ? {} : { signal }),
    });
    written?.();
  }

  #key(): { name: string; namespace: string } {
    return { name: replicaLeaseName(this.#parts.replica), namespace: this.#parts.namespace };
  }
}

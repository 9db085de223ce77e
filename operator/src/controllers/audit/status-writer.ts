import { setImmediate as nextTurn } from "node:timers/promises";
import { type Client, TokenBucket } from "@shieldx/controller-runtime";
import { type ShieldPolicyObject, statusTargetOf } from "../../kinds.ts";
import { FIELD_MANAGER } from "../../names.ts";
import { applyStatus } from "../../status.ts";
import { AUDIT_STATUS_FIELDS, type AuditStatus } from "./status.ts";

/** Working out a status looks at every offender; the rest waits for the next round, a second later. */
const mostMsPerRound = 100;

export interface AuditStatusWriterOptions {
  readonly client: Client;
  readonly monotonicNow: () => number;
  readonly writesPerSecond: number;
}

/** Writes what the audit knows of policies whose numbers changed into their status, so many a second and no more. */
export class AuditStatusWriter {
  readonly #options: AuditStatusWriterOptions;
  readonly #bucket: TokenBucket;
  /** In turn: those that waited longest first. */
  readonly #changed = new Set<string>();
  #notBefore = Number.NEGATIVE_INFINITY;

  constructor(options: AuditStatusWriterOptions) {
    this.#options = options;
    const { writesPerSecond } = options;
    this.#bucket = new TokenBucket(writesPerSecond, 10 * writesPerSecond, options.monotonicNow());
  }

  changed(policies: Iterable<string>): void {
    for (const name of policies) this.#changed.add(name);
  }

  /**
   * Writes as many as may be written now.
   * @param statusOf what is to be in the status; "wait" while that is not known
   * @throws ApiError the first refusal; that policy is tried again after the others
   */
  async write(
    policies: readonly ShieldPolicyObject[],
    statusOf: (name: string) => AuditStatus | "wait",
    signal: AbortSignal,
  ): Promise<void> {
    const { client, monotonicNow } = this.#options;
    const byName = new Map(policies.map((policy) => [policy.metadata.name, policy]));
    let spentMs = 0;
    for (const name of [...this.#changed]) {
      const nowMs = monotonicNow();
      if (signal.aborted || nowMs < this.#notBefore || spentMs > mostMsPerRound) return;
      const policy = byName.get(name);
      const status = policy === undefined ? undefined : statusOf(name);
      spentMs += monotonicNow() - nowMs;
      if (status === "wait") continue;
      if (policy !== undefined && status !== undefined) {
        // Last in the queue, should it be refused: the others are not to wait for it.
        this.#changed.delete(name);
        this.#changed.add(name);
        const { type, object } = statusTargetOf(policy);
        const isWritten = await applyStatus(client, type, object, status, {
          fieldManager: FIELD_MANAGER.audit,
          fields: AUDIT_STATUS_FIELDS,
        });
        if (isWritten) this.#notBefore = monotonicNow() + this.#bucket.reserve(monotonicNow());
      }
      this.#changed.delete(name);
      await nextTurn();
    }
  }
}

import { setImmediate as nextTurn } from "node:timers/promises";
import { type Applicable, type Client, type Clock, ConfigMap } from "@shieldx/controller-runtime";
import { FINDINGS_CONFIGMAP } from "@shieldx/crds";
import { FIELD_MANAGER, ownLabels } from "../names.ts";
import { FINDINGS_SUBJECT, type Obstacles } from "../obstacles.ts";
import { HOUR_MS, recorded } from "./history.ts";
import { essenceOf, type FindingsRecord, RECORD_KEY, recordOf } from "./record.ts";
import { type Offenders, tally } from "./tally.ts";

/** Shortest time between two writes, and so between two countings. */
const INTERVAL_MS = 10_000;
/** How many times as long as counting took nothing is counted again: of 100,000 objects it takes a while. */
const REST = 20;

export interface FindingsWriterOptions {
  readonly client: Client;
  readonly namespace: string;
  /** What is stored, as far as it can be read. */
  readonly stored: () => FindingsRecord | undefined;
  readonly clock: Pick<Clock, "now" | "monotonicNow">;
  readonly obstacles: Obstacles;
}

/**
 * Keeps the record of what the audit found in its ConfigMap. It is written when something has changed, ten seconds after
 * the last time at the soonest, and once an hour: that an hour was watched is told by its entry.
 */
export class FindingsWriter {
  readonly #options: FindingsWriterOptions;
  #isChanged = true;
  #record: FindingsRecord | undefined;
  /** By the monotonic clock. */
  #notBefore = Number.NEGATIVE_INFINITY;

  constructor(options: FindingsWriterOptions) {
    this.#options = options;
  }

  /** Findings changed: the next sync has something to count. */
  markChanged(): void {
    this.#isChanged = true;
  }

  /**
   * To be called whenever the audit has nothing left to judge.
   * @throws ApiError, TransportError other than a refusal, which is told and tried again
   */
  async sync(offenders: Offenders, signal: AbortSignal): Promise<void> {
    const { clock, obstacles, stored } = this.#options;
    const now = clock.now();
    const hour = Math.floor(now / HOUR_MS);
    // Who leads from now on goes on where the leader before it ended; what somebody deleted is written again.
    const before = this.#record ?? stored();
    const isNewHour = before === undefined || hourOf(before) !== hour || stored() === undefined;
    if (!this.#isChanged && !isNewHour) return;
    if (clock.monotonicNow() < this.#notBefore) return;
    this.#isChanged = false;
    const startedAt = clock.monotonicNow();
    const counted = await tally(offenders, nextTurn);
    const endedAt = clock.monotonicNow();
    this.#notBefore = endedAt + Math.max(INTERVAL_MS, REST * (endedAt - startedAt));
    const record = recordOf(counted, recorded(before?.history, hour, counted), {
      since: Math.min(before?.since ?? now, now),
      recordedAt: now,
    });
    const kept = stored();
    if (kept !== undefined && essenceOf(kept) === essenceOf(record)) {
      this.#record = record;
      return;
    }
    try {
      await this.#write(record, signal);
    } catch (error) {
      this.#isChanged = true;
      const { retryAfterMs } = obstacles.failed(FINDINGS_SUBJECT, error, now);
      this.#notBefore = clock.monotonicNow() + Math.max(INTERVAL_MS, retryAfterMs);
      return;
    }
    this.#record = record;
    obstacles.clear(FINDINGS_SUBJECT);
  }

  async #write(record: FindingsRecord, signal: AbortSignal): Promise<void> {
    const { client, namespace } = this.#options;
    const body: Applicable<ConfigMap> = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: FINDINGS_CONFIGMAP, namespace, labels: ownLabels() },
      data: { [RECORD_KEY]: JSON.stringify(record) },
    };
    await client.apply(ConfigMap, body, { fieldManager: FIELD_MANAGER.audit, force: true, signal });
  }
}

/** The last hour that is in it. */
function hourOf({ history }: FindingsRecord): number {
  return history.firstHour + history.total.length - 1;
}

import type { Logger } from "@shieldx/controller-runtime";
import { compactJson, type DecisionSource } from "@shieldx/policy-engine/decisions";
import type { EventBuffer } from "./buffer.ts";
import { type DecisionEvent, type DecisionRecord, eventOf } from "./event.ts";
import { MaskError, type MaskRule, mask, parseMaskRules } from "./mask.ts";
import type { DecisionLogMetrics } from "./metrics.ts";

export interface DecisionLogParts {
  readonly labels: Readonly<Record<string, string>>;
  /** Applied to every event, before what policies say. */
  readonly rules: readonly MaskRule[];
  /** Policies may mask and drop, by OPA's names: `data.system.log.mask` and `data.system.log.drop`. */
  readonly source: () => DecisionSource | undefined;
  /** Of policies that may mask one that is not served so far; undefined where all are that there are. */
  readonly unservedMask: () => string | undefined;
  /** Events to be sent; undefined where nobody takes them. */
  readonly buffer: EventBuffer | undefined;
  /** Called after each event that went into the buffer. */
  readonly grown: () => void;
  /** Takes an event as a line, newline included; undefined where nobody reads it. */
  readonly write: ((line: string) => void) | undefined;
  readonly metrics: DecisionLogMetrics;
  readonly logger: Logger;
}

const maskPath = ["system", "log", "mask"];
const dropPath = ["system", "log", "drop"];
const consoleType = "openpolicyagent.org/decision_logs";

/** Writes decisions where they are wanted. Never waits and never throws: a decision does not depend on its log. */
export class DecisionLog {
  readonly #parts: DecisionLogParts;
  #saidMaskFails = false;

  constructor(parts: DecisionLogParts) {
    this.#parts = parts;
  }

  record(record: DecisionRecord): void {
    const { metrics, logger } = this.#parts;
    try {
      const event = this.#masked(eventOf(record, this.#parts.labels), record);
      if (event !== undefined) this.#keep(event);
    } catch (error) {
      // What cannot be masked may hold what nobody is to read.
      metrics.lost.inc({ reason: "mask-failed" });
      if (!this.#saidMaskFails)
        logger.warn({ err: error }, "decisions are not logged: they cannot be masked");
      this.#saidMaskFails = true;
      return;
    }
    this.#saidMaskFails = false;
  }

  #keep(event: DecisionEvent): void {
    const { buffer, write, metrics, grown } = this.#parts;
    metrics.events.inc();
    if (write !== undefined) {
      const { timestamp = "" } = event;
      const head = { level: "info", time: timestamp, component: "webhooks", msg: "Decision Log" };
      write(`${compactJson({ ...head, ...event, type: consoleType })}\n`);
    }
    if (buffer === undefined) return;
    buffer.push(Buffer.from(compactJson(event)));
    metrics.waitingBytes.set(buffer.bytes);
    grown();
  }

  /** Undefined for an event that a policy wants left out. */
  #masked(event: DecisionEvent, record: DecisionRecord): DecisionEvent | undefined {
    const asked = { input: event, nowNs: BigInt(Math.floor(record.timestampMs)) * 1_000_000n };
    const source = this.#parts.source();
    const drop = source?.decide({ ...asked, path: dropPath });
    if (drop?.kind === "error") throw new MaskError(`data.system.log.drop failed: ${drop.message}`);
    if (drop?.kind === "value" && drop.value === true) return undefined;
    const decision = source?.decide({ ...asked, path: maskPath });
    if (decision?.kind === "error") throw new MaskError(`data.system.log.mask failed: ${decision.message}`);
    // Where nothing is served that masks, it may be because what would mask is not served.
    const unserved =
      decision === undefined || decision.kind === "missing" ? this.#parts.unservedMask() : undefined;
    if (unserved !== undefined)
      throw new MaskError(`ShieldPolicy ${unserved} may mask them, and is not served: see its status`);
    const more = decision?.kind === "value" ? parseMaskRules(decision.value) : [];
    const rules = [...this.#parts.rules, ...more];
    return rules.length === 0 ? event : mask(event, rules);
  }
}

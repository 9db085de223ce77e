import { Counter, Gauge, type Registry } from "prom-client";

const losses = ["buffer-full", "too-large", "mask-failed", "refused", "shutdown"] as const;
/** Why an event of the decision log reached nobody. */
export type LossReason = (typeof losses)[number];

export class DecisionLogMetrics {
  readonly events: Counter;
  readonly lost: Counter<"reason">;
  readonly uploads: Counter<"result">;
  readonly waitingBytes: Gauge;

  constructor(registry: Registry) {
    const registers = [registry];
    this.events = new Counter({
      name: "shieldx_decision_log_events_total",
      help: "Decisions written to the decision log",
      registers,
    });
    this.lost = new Counter({
      name: "shieldx_decision_log_lost_events_total",
      help: "Events of the decision log that reached nobody",
      labelNames: ["reason"],
      registers,
    });
    this.uploads = new Counter({
      name: "shieldx_decision_log_uploads_total",
      help: "Attempts to send a batch of events",
      labelNames: ["result"],
      registers,
    });
    this.waitingBytes = new Gauge({
      name: "shieldx_decision_log_waiting_bytes",
      help: "Events that wait to be sent",
      registers,
    });
    for (const reason of losses) this.lost.inc({ reason }, 0);
    for (const result of ["sent", "failed"]) this.uploads.inc({ result }, 0);
  }
}

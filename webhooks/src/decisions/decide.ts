import type { Span } from "@shieldx/controller-runtime";
import { type TimeShare, Timing, threadCpuNow } from "@shieldx/policy-engine";
import type { Decision, DecisionSource, PathPart, RegoJson } from "@shieldx/policy-engine/decisions";
import type { DecisionLog } from "../decision-log/log.ts";
import type { DecisionMetrics } from "./metrics.ts";
import { OpaError } from "./opa-error.ts";

/** One question, read and allowed. */
export interface Question {
  readonly path: readonly PathPart[];
  readonly input: RegoJson | undefined;
  readonly isStrict: boolean;
  /** `address:port`. */
  readonly requestedBy: string;
  readonly username: string;
  readonly requestId: string | undefined;
  readonly span: Span | undefined;
  /** When the request arrived, by `performance.now`. */
  readonly startedAt: number;
}

export interface Answered {
  readonly decisionId: string;
  readonly decision: Decision;
  /** OPA's names (v1/metrics), nanoseconds. */
  readonly metrics: Readonly<Record<string, number>>;
}

export interface DeciderParts {
  readonly metrics: DecisionMetrics;
  readonly log: DecisionLog | undefined;
  readonly share: TimeShare;
  readonly newId: () => string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Monotonic milliseconds. */
  readonly monotonicNow: () => number;
}

/** Of CPU time a question gets less, as policies do: while it is evaluated no admission review is answered. */
const longestEvaluationMs = 250;

/** @throws OpaError 429 while decisions have used up their share of the process's time */
export function mustHaveTime({ metrics, share, monotonicNow }: DeciderParts): void {
  const waitMs = share.waitMs(monotonicNow());
  if (waitMs <= 0) return;
  metrics.refusals.inc({ reason: "no-time" });
  const seconds = String(Math.max(1, Math.ceil(waitMs / 1_000)));
  throw new OpaError(
    429,
    "internal_error",
    "decisions have used up their share of this replica's time; try again",
    { "retry-after": seconds },
  );
}

/** Does what keeps admission reviews waiting, and counts it to the share. */
export function onShare<T>({ share, monotonicNow }: DeciderParts, work: () => T): T {
  const begunAt = monotonicNow();
  try {
    return work();
  } finally {
    share.used(monotonicNow() - begunAt);
  }
}

/** Evaluates one question, counts it and writes it to the decision log. */
export function decide(parts: DeciderParts, source: DecisionSource, question: Question): Answered {
  return onShare(parts, () => decideNow(parts, source, question));
}

function decideNow(parts: DeciderParts, source: DecisionSource, question: Question): Answered {
  const { metrics } = parts;
  const begunAt = parts.monotonicNow();
  const { path, input, isStrict, span } = question;
  const { monotonicNow } = parts;
  const timing = new Timing({ deadlineMs: longestEvaluationMs, monotonicNow, cpuNow: threadCpuNow });
  const timestampMs = parts.now();
  const decision = source.decide({
    path,
    ...(input === undefined ? {} : { input }),
    strictErrors: isStrict,
    nowNs: BigInt(Math.floor(timestampMs)) * 1_000_000n,
    isPastDeadline: timing.isLate,
  });
  const tookMs = parts.monotonicNow() - begunAt;
  metrics.decisions.inc({ result: decision.kind });
  metrics.evaluation.observe(tookMs / 1_000);
  span?.set("shieldx.decision", decision.kind);
  const answered: Answered = {
    decisionId: parts.newId(),
    decision,
    metrics: {
      timer_rego_query_eval_ns: nanoseconds(tookMs),
      timer_server_handler_ns: nanoseconds(performance.now() - question.startedAt),
    },
  };
  parts.log?.record({
    decisionId: answered.decisionId,
    timestampMs,
    path: path.map((part) => encodeURIComponent(part)).join("/"),
    input,
    ...outcomeOf(decision),
    requestedBy: question.requestedBy,
    username: question.username,
    requestId: question.requestId,
    traceparent: span?.traceparent,
    metrics: answered.metrics,
    revisions: source.revisions,
  });
  return answered;
}

function nanoseconds(ms: number): number {
  return Math.round(ms * 1e6);
}

function outcomeOf(decision: Decision): { result?: RegoJson; error?: RegoJson } {
  switch (decision.kind) {
    case "value":
      return { result: decision.value };
    case "error":
      return { error: errorsOf(decision)[0] ?? null };
    default:
      return {};
  }
}

/** An evaluation error as OPA lists it (v1/topdown Error). */
export function errorsOf(decision: Decision & { kind: "error" }): { [key: string]: RegoJson }[] {
  const { code, message, location } = decision;
  return [{ code, message, ...(location === undefined ? {} : { location: { ...location } }) }];
}

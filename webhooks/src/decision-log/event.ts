/** A decision as OPA logs it (v1/plugins/logs EventV1; "Decision Logs" in its documentation). */
import type { RegoJson } from "@shieldx/policy-engine/decisions";

/** What is known of one decision. */
export interface DecisionRecord {
  readonly decisionId: string;
  /** Since 1970. */
  readonly timestampMs: number;
  /** `app/authz/allow`. */
  readonly path: string;
  readonly input: RegoJson | undefined;
  readonly result?: RegoJson;
  readonly error?: RegoJson;
  /** `address:port`. */
  readonly requestedBy: string;
  readonly username: string;
  readonly requestId: string | undefined;
  /** W3C Trace Context. */
  readonly traceparent: string | undefined;
  readonly metrics: Readonly<Record<string, number>>;
  /** Versions of the policies that were served, by name. */
  readonly revisions: ReadonlyMap<string, string>;
}

/** Members of the event; those without a value are left out, as OPA does. */
export type DecisionEvent = { readonly [key: string]: RegoJson };

export function eventOf(record: DecisionRecord, labels: Readonly<Record<string, string>>): DecisionEvent {
  const { decisionId, timestampMs, path, input, result, error, requestedBy, requestId } = record;
  const trace = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/.exec(record.traceparent ?? "");
  const bundles = Object.fromEntries(
    [...record.revisions].map(([name, revision]) => [name, { revision }] as const),
  );
  return {
    labels: { ...labels },
    decision_id: decisionId,
    ...(trace === null ? {} : { trace_id: trace[1] ?? "", span_id: trace[2] ?? "" }),
    ...(record.revisions.size === 0 ? {} : { bundles }),
    path,
    ...(input === undefined ? {} : { input }),
    ...(result === undefined ? {} : { result }),
    ...(error === undefined ? {} : { error }),
    requested_by: requestedBy,
    timestamp: timestampText(timestampMs),
    metrics: { ...record.metrics },
    ...(requestId === undefined
      ? {}
      : { request_context: { http: { headers: { "x-request-id": [requestId] } } } }),
    custom: { user: record.username },
  };
}

/** RFC 3339 with as many digits as it takes, as Go's RFC3339Nano. */
function timestampText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.?0+Z$/, "Z");
}

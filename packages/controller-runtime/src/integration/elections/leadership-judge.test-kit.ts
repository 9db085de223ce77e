import { type AuditEvent, readAuditLog } from "../audit-log.test-kit.ts";

/** A moment at the server, wall-clock milliseconds with a fraction. */
type Moment = number;

interface Acquisition {
  readonly at: Moment;
  readonly holder: string;
}

/** One election as the API server saw it. Identities are the Lease's, without the random suffix a manager adds. */
export interface ElectionRecord {
  /** Who got the Lease when, in order. `""`: it was released. */
  readonly acquisitions: Acquisition[];
  /** When writes of a leader were received, in order. */
  readonly writes: { readonly at: Moment; readonly by: string }[];
}

/**
 * Reads what Leases and ConfigMaps a server was asked to write, by Lease name. Writers put their identity into the
 * user agent; the ConfigMaps of a Lease are named `<lease>.<anything>`.
 */
export async function readElections(auditLog: string): Promise<Map<string, ElectionRecord>> {
  const records = new Map<string, ElectionRecord>();
  const of = (lease: string): ElectionRecord => {
    const record = records.get(lease) ?? { acquisitions: [], writes: [] };
    records.set(lease, record);
    return record;
  };
  for await (const event of readAuditLog(auditLog)) {
    const { resource, name = "" } = event.objectRef ?? {};
    if (resource === "leases") takeLease(event, of);
    else if (event.verb === "patch" && event.stage === "RequestReceived") {
      const by = event.userAgent ?? "";
      of(name.slice(0, name.indexOf("."))).writes.push({ at: momentOf(event.requestReceivedTimestamp), by });
    }
  }
  for (const record of records.values()) {
    record.acquisitions.sort((a, b) => a.at - b.at);
    record.writes.sort((a, b) => a.at - b.at);
  }
  return records;
}

function takeLease(event: AuditEvent, of: (lease: string) => ElectionRecord): void {
  const code = event.responseStatus?.code ?? 0;
  if (event.stage !== "ResponseComplete" || code >= 300) return;
  const { metadata, spec } = event.responseObject ?? {};
  const { acquisitions } = of(metadata?.name ?? "");
  const holder = String(spec?.holderIdentity ?? "").replace(/_[^_]*$/, "");
  if (acquisitions.at(-1)?.holder === holder) return;
  acquisitions.push({ at: momentOf(event.requestReceivedTimestamp), holder });
}

/** Microseconds survive: `Date.parse` would drop them. */
function momentOf(timestamp: string): Moment {
  const fraction = /\.(\d+)Z$/.exec(timestamp)?.[1] ?? "";
  return Date.parse(timestamp.replace(/\.\d+Z$/, "Z")) + Number(`0.${fraction || "0"}`) * 1000;
}

/** Writes that the server received from somebody after another had asked for, and got, the Lease. */
export function lateWrites(lease: string, { acquisitions, writes }: ElectionRecord): string[] {
  const late: string[] = [];
  for (const { at, by } of writes) {
    const own = acquisitions.findLastIndex(
      (acquisition) => acquisition.holder === by && acquisition.at <= at,
    );
    const next = acquisitions
      .slice(own + 1)
      .find(({ holder, at: since }) => holder !== "" && holder !== by && since < at);
    if (own === -1) late.push(`${lease}: ${by} wrote without ever having had the Lease`);
    else if (next !== undefined) {
      late.push(
        `${lease}: a write of ${by} arrived ${(at - next.at).toFixed(1)} ms after ${next.holder} took over (${at})`,
      );
    }
  }
  return late;
}

/** From a moment until another than `former` has its first write received. */
export function takeoverMs({ writes }: ElectionRecord, from: Moment, former: string): number {
  const first = writes.find(({ at, by }) => at >= from && by !== former);
  return first === undefined ? Number.POSITIVE_INFINITY : first.at - from;
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

import { z } from "zod";
import { MAX_APPROVER_LENGTH } from "../exception-reports.ts";
import { fromJson } from "../from-json.ts";

/** A request that a policy would have refused, had no ShieldBreakGlass been open. */
export interface LetThrough {
  /** uid of the ShieldBreakGlass. */
  readonly glass: string;
  /** Name of the ShieldPolicy. */
  readonly policy: string;
  /** Milliseconds since the epoch, by the replica's clock. */
  readonly atMs: number;
  readonly operation: string;
  readonly apiVersion: string;
  readonly kind: string;
  /** Empty for cluster-scoped objects. */
  readonly namespace: string;
  readonly name: string;
  /** Empty where the API server does not say. */
  readonly uid: string;
  readonly user: string;
}

/** How many requests one process let pass on account of a ShieldBreakGlass, that one policy would have refused. */
export interface LetThroughCount {
  readonly glass: string;
  readonly policy: string;
  readonly requests: number;
}

/** What one process of the webhook tells of ShieldBreakGlasses. */
export interface BreakGlassReports {
  readonly process: string;
  /** uids of those by which it goes now. */
  readonly open: readonly string[];
  readonly counts: readonly LetThroughCount[];
  /** The latest. */
  readonly requests: readonly LetThrough[];
}

/** The last moment that a timestamp of the API server can hold (RFC 3339 has years of four digits). */
export const LAST_TIMESTAMP_MS = 253_402_300_799_999;
export const MAX_REPORTED_GLASSES = 32;
export const MAX_REPORTED_COUNTS = 256;
export const MAX_REPORTED_REQUESTS = 100;
/** For requests: annotations of an object share 256 KiB. */
const mostRequestBytes = 16_384;
const mostCountBytes = 8_192;

const uid = z.string().max(128);
const whole = z.int().min(0);
const name = z.string().max(253);
const schema = z.object({
  process: z.string().min(1).max(64),
  open: z.array(uid).max(MAX_REPORTED_GLASSES),
  counts: z.array(z.tuple([uid, z.string().max(63), whole])).max(MAX_REPORTED_COUNTS),
  requests: z
    .array(
      z.tuple([
        uid,
        z.string().max(63),
        z.int().min(0).max(LAST_TIMESTAMP_MS),
        z.string().max(16),
        z.string().max(317),
        z.string().max(63),
        z.string().max(63),
        name,
        uid,
        z.string().min(1).max(MAX_APPROVER_LENGTH),
      ]),
    )
    .max(MAX_REPORTED_REQUESTS),
});

type Row = z.input<typeof schema>["requests"][number];

/** As the annotation of a replica's Lease; undefined when there is nothing to say. Of counts and requests the last that fit. */
export function formatBreakGlassReports(report: BreakGlassReports): string | undefined {
  const { process, open, counts, requests } = report;
  if (open.length === 0 && counts.length === 0) return undefined;
  const fitting = fits(mostRequestBytes);
  const rows = requests.slice(-MAX_REPORTED_REQUESTS).reverse().map(rowOf).filter(fitting).reverse();
  return JSON.stringify({
    process,
    open: open.slice(0, MAX_REPORTED_GLASSES),
    counts: counts
      .slice(-MAX_REPORTED_COUNTS)
      .reverse()
      .map(({ glass, policy, requests: many }): [string, string, number] => [glass, policy, many])
      .filter(fits(mostCountBytes)),
    requests: rows,
  } satisfies z.input<typeof schema>);
}

function rowOf(request: LetThrough): Row {
  const { glass, policy, atMs, operation, apiVersion, kind, namespace, name, uid, user } = request;
  return [
    glass,
    policy,
    Math.min(Math.max(0, Math.floor(atMs)), LAST_TIMESTAMP_MS),
    told(operation, 16),
    told(apiVersion, 317),
    told(kind, 63),
    told(namespace, 63),
    told(name, 253),
    told(uid, 128),
    told(user, MAX_APPROVER_LENGTH) || "unknown",
  ];
}

function told(text: string, most: number): string {
  return text.slice(0, most).toWellFormed();
}

function fits(bytes: number): (row: unknown) => boolean {
  let left = bytes;
  return (row) => {
    left -= Buffer.byteLength(JSON.stringify(row)) + 1;
    return left >= 0;
  };
}

/** Whatever stands there: what is no such report tells nothing, and nothing is open there. */
export function parseBreakGlassReports(text: string | undefined): BreakGlassReports | undefined {
  const report = schema.safeParse(fromJson(text)).data;
  if (report === undefined) return undefined;
  return {
    process: report.process,
    open: report.open,
    counts: report.counts.map(([glass, policy, requests]) => ({ glass, policy, requests })),
    requests: report.requests.map(
      ([glass, policy, atMs, operation, apiVersion, kind, namespace, name, uid, user]) => ({
        glass,
        policy,
        atMs,
        operation,
        apiVersion,
        kind,
        namespace,
        name,
        uid,
        user,
      }),
    ),
  };
}

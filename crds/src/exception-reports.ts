import { createHash } from "node:crypto";
import { z } from "zod";
import { fromJson } from "./from-json.ts";

/** How often one process of the webhook saw an exception let something pass since it began. */
export interface ExceptionUse {
  /** uid of the ShieldException. */
  readonly uid: string;
  readonly count: number;
  /** Milliseconds since the epoch, by the replica's clock. */
  readonly lastUsedMs: number;
}

/** Totals of one process; a process that starts anew counts from zero, under another id. */
export interface ExceptionUses {
  readonly process: string;
  readonly uses: readonly ExceptionUse[];
}

/**
 * Whose request would make an exception what it is, as the webhook that let it in was told by the API server. Another
 * webhook may have refused it all the same: it counts where what is stored is what was asked for.
 */
export interface ExceptionApproval {
  readonly uid: string;
  readonly generation: number;
  readonly user: string;
  /** {@link exceptionSpecDigest} of the spec that was asked for. */
  readonly specDigest: string;
}

/** Tells specs apart: half of a SHA-256 in hex, whatever the order of keys. */
export function exceptionSpecDigest(spec: unknown): string {
  const sorted = (_: string, value: unknown): unknown =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? { entries: Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)) }
      : value;
  return createHash("sha256")
    .update(JSON.stringify(spec, sorted) ?? "")
    .digest("hex")
    .slice(0, 32);
}

/** Entries of one report: with 64 bytes each a small part of the 256 KiB that annotations of an object share. */
export const MAX_REPORTED_USES = 256;
export const MAX_REPORTED_APPROVALS = 64;
export const MAX_APPROVER_LENGTH = 253;
/** A name of control characters takes six bytes for each in JSON. */
const maxApprovalsBytes = 32_768;

const uid = z.string().min(1).max(128);
const whole = z.int().min(0);
const usesSchema = z.object({
  process: z.string().min(1).max(64),
  uses: z.array(z.tuple([uid, whole, whole])).max(MAX_REPORTED_USES),
});
const approvalsSchema = z
  .array(z.tuple([uid, whole, z.string().min(1).max(MAX_APPROVER_LENGTH), z.string().max(64)]))
  .max(MAX_REPORTED_APPROVALS);

/** As the annotation of a replica's Lease; undefined when there is nothing to say. */
export function formatExceptionUses({ process, uses }: ExceptionUses): string | undefined {
  if (uses.length === 0) return undefined;
  return JSON.stringify({
    process,
    uses: uses.map((use) => [use.uid, use.count, use.lastUsedMs]),
  } satisfies z.input<typeof usesSchema>);
}

/** Whatever stands there: what is no such report counts nothing. */
export function parseExceptionUses(text: string | undefined): ExceptionUses | undefined {
  const report = usesSchema.safeParse(fromJson(text)).data;
  if (report === undefined) return undefined;
  const { process, uses } = report;
  return { process, uses: uses.map(([uid, count, lastUsedMs]) => ({ uid, count, lastUsedMs })) };
}

/** The first of them, as many as fit into one report. */
export function fittingApprovals(approvals: readonly ExceptionApproval[]): readonly ExceptionApproval[] {
  let bytes = 0;
  const first = approvals.slice(0, MAX_REPORTED_APPROVALS);
  const end = first.findIndex((approval) => {
    bytes += Buffer.byteLength(JSON.stringify(rowOf(approval))) + 1;
    return bytes > maxApprovalsBytes;
  });
  return end < 0 ? first : first.slice(0, end);
}

function rowOf(approval: ExceptionApproval): z.input<typeof approvalsSchema>[number] {
  const { uid, generation, user, specDigest } = approval;
  return [uid, generation, user.slice(0, MAX_APPROVER_LENGTH).toWellFormed(), specDigest];
}

/** As the annotation of a replica's Lease, the first that fit; undefined when there is nothing to say. */
export function formatExceptionApprovals(approvals: readonly ExceptionApproval[]): string | undefined {
  if (approvals.length === 0) return undefined;
  return JSON.stringify(fittingApprovals(approvals).map(rowOf));
}

/** Whatever stands there: what is no such report approves nothing. */
export function parseExceptionApprovals(text: string | undefined): ExceptionApproval[] {
  const rows = approvalsSchema.safeParse(fromJson(text)).data ?? [];
  return rows.map(([uid, generation, user, specDigest]) => ({ uid, generation, user, specDigest }));
}

import { z } from "zod";

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

/** Whose request made an exception what it is, as the webhook that let it in was told by the API server. */
export interface ExceptionApproval {
  readonly uid: string;
  readonly generation: number;
  readonly user: string;
}

/** Entries of one report: with 64 bytes each a small part of the 256 KiB that annotations of an object share. */
export const MAX_REPORTED_USES = 256;
export const MAX_REPORTED_APPROVALS = 64;
export const MAX_APPROVER_LENGTH = 253;

const uid = z.string().min(1).max(128);
const whole = z.int().min(0);
const usesSchema = z.object({
  process: z.string().min(1).max(64),
  uses: z.array(z.tuple([uid, whole, whole])).max(MAX_REPORTED_USES),
});
const approvalsSchema = z
  .array(z.tuple([uid, whole, z.string().min(1).max(MAX_APPROVER_LENGTH)]))
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

/** As the annotation of a replica's Lease; undefined when there is nothing to say. */
export function formatExceptionApprovals(approvals: readonly ExceptionApproval[]): string | undefined {
  if (approvals.length === 0) return undefined;
  const rows = approvals.map(({ uid, generation, user }): z.input<typeof approvalsSchema>[number] => [
    uid,
    generation,
    user.slice(0, MAX_APPROVER_LENGTH).toWellFormed(),
  ]);
  return JSON.stringify(rows.slice(-MAX_REPORTED_APPROVALS));
}

/** Whatever stands there: what is no such report approves nothing. */
export function parseExceptionApprovals(text: string | undefined): ExceptionApproval[] {
  const rows = approvalsSchema.safeParse(fromJson(text)).data ?? [];
  return rows.map(([uid, generation, user]) => ({ uid, generation, user }));
}

function fromJson(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

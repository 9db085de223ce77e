import type { ExceptionUse, ShieldExceptionStatus } from "@shieldx/crds";

/** `status.usage` of a ShieldException. */
export type ExceptionUsage = NonNullable<ShieldExceptionStatus["usage"]>;

/** As many as `status.usage.processes` holds. */
export const MOST_SHARES = 64;

/**
 * How a process of the webhook stands whose share may be in a count.
 * - living: its Lease is renewed
 * - leaving: its Lease vanished a moment ago; it may have ended, or come back where somebody deleted the Lease
 * - silent: its Lease is there and not renewed, or it is not known how long it has been away
 * - gone: it does not come back
 */
export type ProcessState = "living" | "leaving" | "silent" | "gone";

/** What processes of the webhook have counted of one exception, by their ids, and how they stand. */
export interface Counted {
  readonly totals: ReadonlyMap<string, ExceptionUse>;
  readonly stateOf: (id: string) => ProcessState;
}

/**
 * Adds up what processes have counted. What `before` holds beyond its shares is from processes that are gone and stays;
 * a share grows to the total its process tells, and becomes part of what stays once the process is gone. So nothing
 * is counted twice, whoever adds up when: a process that has no share and is silent may be part of what stays already.
 * Of more processes than there may be shares those beyond count once there is room.
 * @param now milliseconds since the epoch; no use that is news is later, whatever the replica's clock said
 */
export function addUp(
  before: ExceptionUsage | undefined,
  { totals, stateOf }: Counted,
  now: number,
): ExceptionUsage {
  const shares = new Map((before?.processes ?? []).map(({ id, count }) => [id, count]));
  let stays = Math.max(0, (before?.count ?? 0) - sum(shares.values()));
  const fold = (id: string): void => {
    stays += shares.get(id) ?? 0;
    shares.delete(id);
  };
  const hasRoom = (): boolean => {
    if (shares.size < MOST_SHARES) return true;
    const ids = [...shares.keys()];
    const least = ids.find((id) => stateOf(id) === "gone") ?? ids.find((id) => stateOf(id) === "silent");
    if (least !== undefined) fold(least);
    return least !== undefined;
  };
  // What is written stands: a clock that was behind once must not take it back.
  const moments = before?.lastUsed === undefined ? [] : [Date.parse(before.lastUsed)];
  for (const [id, use] of totals) {
    const share = shares.get(id);
    const state = stateOf(id);
    if (share === undefined && state !== "living" && state !== "leaving") continue;
    if (use.count <= (share ?? 0) || (share === undefined && !hasRoom())) continue;
    shares.set(id, use.count);
    moments.push(Math.min(use.lastUsedMs, now));
  }
  for (const id of [...shares.keys()]) if (stateOf(id) === "gone") fold(id);
  const count = Math.min(stays + sum(shares.values()), Number.MAX_SAFE_INTEGER);
  const processes = [...shares].map(([id, share]) => ({ id, count: share }));
  return {
    ...(before?.objects === undefined ? {} : { objects: before.objects }),
    ...(moments.length === 0 ? {} : { lastUsed: seconds(Math.max(...moments)) }),
    ...(count === 0 && before?.count === undefined ? {} : { count }),
    ...(processes.length === 0 ? {} : { processes }),
  };
}

/**
 * Takes in how many existing objects need the exception now. When the last of them is gone, it has been needed until now.
 * @param objects undefined while the audit does not know yet
 */
export function withObjects(usage: ExceptionUsage, objects: number | undefined, now: number): ExceptionUsage {
  if (objects === undefined || objects === (usage.objects ?? 0)) return usage;
  const before = usage.lastUsed === undefined ? now : Date.parse(usage.lastUsed);
  return { ...usage, objects, ...(objects === 0 ? { lastUsed: seconds(Math.max(before, now)) } : {}) };
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}

function seconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

/** When a ShieldCleanup runs, and whether a run may delete. Pure. */
import {
  ANNOTATION,
  DEFAULT_CLEANUP_INTERVAL,
  parseDurationMs,
  type ShieldCleanupSpec,
  type ShieldCleanupStatus,
} from "@shieldx/crds";

/** How far the clocks may be apart. Certificates and Leases are in trouble long before. */
export const MOST_SKEW_MS = 300_000;

export interface ScheduleObservation {
  readonly generation: number;
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: Pick<ShieldCleanupSpec, "every">;
  readonly status: ShieldCleanupStatus | undefined;
}

export function intervalMs({ every }: Pick<ShieldCleanupSpec, "every">): number {
  return parseDurationMs(every ?? DEFAULT_CLEANUP_INTERVAL);
}

/** Whether the policy has not run as it is now written. */
export function isFirstRun({
  status,
  generation,
}: Pick<ScheduleObservation, "status" | "generation">): boolean {
  return status?.lastRun?.generation !== generation;
}

/** What asks for a run by the annotation; a run of any cause is an answer to it. */
export function requestIn(annotations: ScheduleObservation["annotations"]): string | undefined {
  const request = annotations[ANNOTATION.run]?.slice(0, 128);
  return request === "" ? undefined : request;
}

/**
 * Time until the next run is due, ms; 0 or less: now. Never longer than the interval, so that a clock that was set back does not
 * hold it up.
 */
export function untilRunMs(observed: ScheduleObservation, now: number): number {
  const { status, generation } = observed;
  if (status?.lastRun === undefined || isFirstRun({ status, generation })) return 0;
  const request = requestIn(observed.annotations);
  if (request !== undefined && request !== status.lastRun.request) return 0;
  const interval = intervalMs(observed.spec);
  return Math.min(interval, Date.parse(status.lastRun.time) + interval - now);
}

/** A look at three clocks at once, ms. */
export interface Clocks {
  /** The API server's, which also says when objects were made. */
  readonly serverMs: number;
  /** This process' own. */
  readonly ownMs: number;
  /** That never jumps, from an arbitrary start. */
  readonly monotonicMs: number;
}

/**
 * Why objects' ages cannot be told now; undefined: they can. A clock that runs ahead makes everything look old at once, and one
 * that jumps back and forth again.
 */
export function clockProblem(clocks: Clocks, before: Clocks | undefined): string | undefined {
  const skew = clocks.serverMs - clocks.ownMs;
  if (Math.abs(skew) > MOST_SKEW_MS)
    return `the clocks of the API server and of the operator are ${inWords(skew)} apart: set them right; nothing is deleted until they agree`;
  if (before === undefined) return undefined;
  const jump = clocks.serverMs - before.serverMs - (clocks.monotonicMs - before.monotonicMs);
  if (Math.abs(jump) <= MOST_SKEW_MS) return undefined;
  return `the clock has jumped by ${inWords(jump)} since the last run: check it; this run deletes nothing, the next one goes by the new time`;
}

function inWords(ms: number): string {
  const minutes = Math.round(Math.abs(ms) / 60_000);
  return minutes < 120 ? `${minutes} minutes` : `${Math.round(minutes / 60)} hours`;
}

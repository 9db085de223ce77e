import type { RolloutCounts, RolloutSpec, RolloutStatus } from "@shieldx/crds";

export interface Exceeded {
  readonly reason: Exclude<NonNullable<RolloutStatus["rollback"]>["reason"], "Aborted">;
  /** The figures. */
  readonly message: string;
}

/** The first limit that a step's counts exceed; undefined where none is, or too few requests were judged to tell. */
export function exceededLimit(
  limits: RolloutSpec["rollback"],
  { requests, denied, errors, slow }: RolloutCounts,
): Exceeded | undefined {
  if (limits === undefined || requests < limits.minRequests) return undefined;
  const { maxDenialPercent, maxErrorPercent, maxLatencyMilliseconds } = limits;
  const isOver = (part: number, percent: number): boolean => part * 100 > requests * percent;
  const figures = (part: number): string =>
    `${part} of ${requests} requests (${percentOf(part, requests)} %)`;
  if (maxErrorPercent !== undefined && isOver(errors, maxErrorPercent))
    return {
      reason: "ErrorRate",
      message: `${figures(errors)} could not be judged, more than maxErrorPercent ${maxErrorPercent}`,
    };
  if (maxDenialPercent !== undefined && isOver(denied, maxDenialPercent))
    return {
      reason: "DenialRate",
      message: `${figures(denied)} were refused, or would have been, more than maxDenialPercent ${maxDenialPercent}`,
    };
  // The 99th percentile lies above a bound where more than one in a hundred does.
  if (maxLatencyMilliseconds !== undefined && isOver(slow, 1))
    return {
      reason: "Latency",
      message: `${figures(slow)} took longer than maxLatencyMilliseconds ${maxLatencyMilliseconds}, and one in a hundred may`,
    };
  return undefined;
}

function percentOf(part: number, whole: number): string {
  return String(Math.round((part * 1000) / whole) / 10);
}

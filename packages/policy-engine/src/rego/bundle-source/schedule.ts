/** When to ask a bundle's server again (OPA's v1/download). All times are in milliseconds. */
export interface Polling {
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
  /** How long the server may hold a request until there is news; no long polling where there is none. */
  readonly longPollSeconds?: number;
}

export const defaultPolling: Polling = { minDelayMs: 60_000, maxDelayMs: 120_000 };

/** The first repetition after a failure; each further one waits twice as long. */
const firstRetryMs = 1_000;
const leastDelayMs = 1_000;
const mostDelayMs = 86_400_000;

export interface PollingState {
  /** Failures since the last success. */
  readonly failures: number;
  /** The server holds requests. */
  readonly isLongPoll: boolean;
  /** How long the last answer took. */
  readonly answerMs: number;
}

/** @throws RangeError naming the field. */
export function checkPolling({ minDelayMs, maxDelayMs, longPollSeconds }: Polling): void {
  if (!(minDelayMs >= leastDelayMs)) throw new RangeError(`minDelayMs must be at least ${leastDelayMs}`);
  if (!(maxDelayMs >= minDelayMs && maxDelayMs <= mostDelayMs))
    throw new RangeError(`maxDelayMs must be from minDelayMs to ${mostDelayMs}`);
  if (
    longPollSeconds !== undefined &&
    !(Number.isInteger(longPollSeconds) && longPollSeconds >= 1 && longPollSeconds <= 3_600)
  )
    throw new RangeError("longPollSeconds must be a whole number from 1 to 3600");
}

/** @param random from 0 up to 1: replicas must not ask all at once. */
export function nextDelayMs(
  polling: Polling,
  { failures, isLongPoll, answerMs }: PollingState,
  random: number,
): number {
  const { minDelayMs, maxDelayMs, longPollSeconds } = polling;
  if (failures > 0) {
    const most = Math.min(maxDelayMs, firstRetryMs * 2 ** Math.min(failures - 1, 30));
    return most / 2 + (random * most) / 2;
  }
  // A server that says it waits and does not would otherwise be asked in a loop.
  const waited = longPollSeconds !== undefined && isLongPoll && answerMs >= (longPollSeconds * 1_000) / 2;
  if (longPollSeconds !== undefined && isLongPoll) return waited ? 0 : leastDelayMs;
  return minDelayMs + random * (maxDelayMs - minDelayMs);
}

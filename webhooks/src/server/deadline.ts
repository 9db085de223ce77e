const unitMs: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
};
/** What Kubernetes lets a webhook configuration ask for, and its default. */
const longestTimeoutMs = 30_000;
const defaultTimeoutMs = 10_000;

/** Milliseconds of a Go duration such as `5s` or `1m0.5s`; undefined when it is none. */
export function parseGoDuration(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(h|m|s|ms|us|µs|ns)){1,6}$/.test(text) || text.length > 64) return undefined;
  let total = 0;
  for (const [, value, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s)/g)) {
    total += Number(value) * (unitMs[unit ?? ""] ?? 0);
  }
  return total;
}

/**
 * How long an evaluation may take, in milliseconds from the request's arrival: the caller's own `?timeout=` (API
 * servers send it) less a tenth, at least 50 ms and at most 500 ms, for the way back.
 */
export function evaluationTimeMs(query: URLSearchParams): number {
  const asked = query.get("timeout");
  const parsed = asked === null ? undefined : parseGoDuration(asked);
  const timeoutMs = Math.min(
    parsed === undefined || parsed <= 0 ? defaultTimeoutMs : parsed,
    longestTimeoutMs,
  );
  return Math.max(1, timeoutMs - Math.min(500, Math.max(50, timeoutMs / 10)));
}

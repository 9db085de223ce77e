/**
 * `metav1.MicroTime` as the API server reads and writes it: RFC 3339 in UTC with six decimals.
 *
 * @param epochMicros microseconds since the epoch.
 */
export function formatMicroTime(epochMicros: number): string {
  const micros = Math.trunc(epochMicros);
  const ms = Math.floor(micros / 1000);
  const rest = String(micros - ms * 1000).padStart(3, "0");
  return new Date(ms).toISOString().replace("Z", `${rest}Z`);
}

/** Microseconds since the epoch; undefined when `text` is no such time. */
export function parseMicroTime(text: string | undefined): number | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text ?? "");
  if (match === null) return undefined;
  const ms = Date.parse(`${match[1]}${match[3]}`);
  if (Number.isNaN(ms)) return undefined;
  return ms * 1000 + Number((match[2] ?? "").padEnd(6, "0").slice(0, 6));
}

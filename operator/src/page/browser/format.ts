/** How numbers and times are written. */

const numbers = new Intl.NumberFormat("en");
const relatives = new Intl.RelativeTimeFormat("en", { numeric: "always" });

export function count(value: number): string {
  return numbers.format(value);
}

/** `1 object`, `2 objects`. */
export function many(value: number, one: string, more = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : more}`;
}

/** In the reader's time zone, to the minute. */
export function moment(time: string): string {
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return time;
  const two = (value: number): string => String(value).padStart(2, "0");
  const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${date} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

const units = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
] as const;

/** `in 3 days`, `2 hours ago`; whole units, rounded towards now. */
export function distance(time: string, nowMs: number): string {
  const ms = Date.parse(time) - nowMs;
  if (Number.isNaN(ms)) return "";
  for (const [unit, size] of units) {
    if (Math.abs(ms) >= size) return relatives.format(Math.trunc(ms / size), unit);
  }
  return ms < 0 ? "just now" : "in less than a minute";
}

/** Names of objects: `Pod shop/web`. */
export function objectName({
  kind,
  namespace,
  name,
}: {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}): string {
  return namespace === "" ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

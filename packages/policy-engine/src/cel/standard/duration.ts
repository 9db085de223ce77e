import { INT_MAX, INT_MIN } from "../values.ts";
import { formatGoFixed } from "./go-numbers.ts";

const SECOND = 1_000_000_000n;
/** Units of Go's time.ParseDuration in nanoseconds; both signs for micro are accepted. */
const UNITS: ReadonlyMap<string, bigint> = new Map([
  ["ns", 1n],
  ["us", 1_000n],
  ["µs", 1_000n],
  ["μs", 1_000n],
  ["ms", 1_000_000n],
  ["s", SECOND],
  ["m", 60n * SECOND],
  ["h", 3600n * SECOND],
]);

const PART = /([0-9]*)(\.[0-9]*)?([^0-9.]+)/y;

/** Go's time.ParseDuration, in nanoseconds; undefined for what it would not read. */
export function parseGoDuration(text: string): bigint | undefined {
  const isNegative = text.startsWith("-");
  const rest = isNegative || text.startsWith("+") ? text.slice(1) : text;
  if (rest === "0") return 0n;
  if (rest === "") return undefined;
  let total = 0n;
  let at = 0;
  while (at < rest.length) {
    PART.lastIndex = at;
    const match = PART.exec(rest);
    if (match === null) return undefined;
    const part = partNanoseconds(match[1] ?? "", match[2] ?? "", match[3] ?? "");
    if (part === undefined) return undefined;
    total += part;
    if (total > INT_MAX + 1n) return undefined;
    at += match[0].length;
  }
  const signed = isNegative ? -total : total;
  return signed >= INT_MIN && signed <= INT_MAX ? signed : undefined;
}

function partNanoseconds(whole: string, fraction: string, unit: string): bigint | undefined {
  const size = UNITS.get(unit);
  if (size === undefined || (whole === "" && fraction.length <= 1) || whole.length > 40) return undefined;
  return BigInt(whole === "" ? "0" : whole) * size + fractionNanoseconds(fraction.slice(1), size);
}

/** Go reads at most the digits that fit an int64 and rounds the product down as a double. */
function fractionNanoseconds(digits: string, unit: bigint): bigint {
  let kept = digits.slice(0, 18);
  const next = digits.slice(0, 19);
  if (next.length === 19 && BigInt(next) <= INT_MAX) kept = next;
  if (kept === "") return 0n;
  return BigInt(Math.trunc(Number(kept) * (Number(unit) / 10 ** kept.length)));
}

/** `string(duration)`: seconds with the shortest fraction, as cel-go writes them. */
export function formatDuration(nanoseconds: bigint): string {
  return `${formatGoFixed(durationSeconds(nanoseconds))}s`;
}

/** Go's Duration.Seconds(): whole and fraction converted apart, so that large durations keep their fraction. */
function durationSeconds(nanoseconds: bigint): number {
  return Number(nanoseconds / SECOND) + Number(nanoseconds % SECOND) / 1e9;
}

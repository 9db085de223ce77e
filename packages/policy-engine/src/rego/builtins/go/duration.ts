/** Go's time.ParseDuration, with OPA's days, weeks and years of 365 days (v1/topdown/time.go). */
import { LimitError } from "../contract.ts";
import { formatFloat } from "./float-text.ts";
import { skipDigits } from "./number-text.ts";
import { goQuote } from "./quote.ts";

export class DurationError extends Error {
  constructor(problem: string, text: string) {
    super(`time: ${problem} ${goQuote(text)}`);
    this.name = "DurationError";
  }
}

const UNITS_NS: ReadonlyMap<string, bigint> = new Map([
  ["ns", 1n],
  ["us", 1_000n],
  ["\u00b5s", 1_000n],
  ["\u03bcs", 1_000n],
  ["ms", 1_000_000n],
  ["s", 1_000_000_000n],
  ["m", 60_000_000_000n],
  ["h", 3_600_000_000_000n],
]);

const HOURS: ReadonlyMap<string, number> = new Map([
  ["d", 24],
  ["w", 7 * 24],
  ["y", 365 * 24],
]);

/** Durations are int64; the most negative one has no positive counterpart. */
const LIMIT = 2n ** 63n;

/** Digits of one number, zeros in front and behind the point included. */
const maxDigits = 400;

interface Segment {
  readonly whole: string;
  readonly fraction: string;
  readonly unit: string;
}

function isUnitUnit(text: string, at: number): boolean {
  const character = text[at];
  return character !== undefined && character !== "." && skipDigits(text, at) === at;
}

function segmentAt(text: string, at: number, original: string): readonly [Segment, end: number] {
  const wholeEnd = skipDigits(text, at);
  const fractionStart = text[wholeEnd] === "." ? wholeEnd + 1 : wholeEnd;
  const fractionEnd = fractionStart > wholeEnd ? skipDigits(text, fractionStart) : wholeEnd;
  const digits = wholeEnd - at + (fractionEnd - fractionStart);
  if (digits > maxDigits) {
    throw new LimitError(`a duration's number may have at most ${maxDigits} digits`);
  }
  if (digits === 0) {
    throw new DurationError("invalid duration", original);
  }
  let end = fractionEnd;
  while (isUnitUnit(text, end)) {
    end += 1;
  }
  if (end === fractionEnd) {
    throw new DurationError("missing unit in duration", original);
  }
  return [
    {
      whole: text.slice(at, wholeEnd),
      fraction: text.slice(fractionStart, fractionEnd),
      unit: text.slice(fractionEnd, end),
    },
    end,
  ];
}

function nanoseconds(segment: Segment, original: string): bigint {
  const unit = UNITS_NS.get(segment.unit);
  if (unit === undefined) {
    throw new DurationError(`unknown unit ${goQuote(segment.unit)} in duration`, original);
  }
  const fraction = segment.fraction.slice(0, 18);
  const part = fraction === "" ? 0 : Math.trunc(Number(fraction) * (Number(unit) / 10 ** fraction.length));
  return BigInt(segment.whole === "" ? "0" : segment.whole) * unit + BigInt(part);
}

function segments(text: string, original: string): readonly Segment[] {
  const found: Segment[] = [];
  let at = 0;
  while (at < text.length) {
    const [segment, end] = segmentAt(text, at, original);
    found.push(segment);
    at = end;
  }
  return found;
}

/** Days, weeks and years as the hours Go reads: their value as a float64 in decimal. */
function inHours(segment: Segment, original: string): Segment {
  const hours = HOURS.get(segment.unit);
  if (hours === undefined) {
    return segment;
  }
  const value = Number(`${segment.whole}.${segment.fraction}`) * hours;
  if (!Number.isFinite(value)) {
    throw new DurationError("invalid duration", original);
  }
  const [whole = "0", fraction = ""] = formatFloat(value, "f", -1).split(".");
  return { whole, fraction, unit: "h" };
}

/** Nanoseconds. @throws DurationError */
export function parseDuration(text: string): bigint {
  const signed = text.startsWith("-") || text.startsWith("+");
  const rest = signed ? text.slice(1) : text;
  if (rest === "0") {
    return 0n;
  }
  if (rest === "") {
    throw new DurationError("invalid duration", text);
  }
  let total = 0n;
  for (const segment of segments(rest, text)) {
    total += nanoseconds(inHours(segment, text), text);
    if (total > LIMIT) {
      throw new DurationError("invalid duration", text);
    }
  }
  const negative = text.startsWith("-");
  if (!negative && total === LIMIT) {
    throw new DurationError("invalid duration", text);
  }
  return negative ? -total : total;
}

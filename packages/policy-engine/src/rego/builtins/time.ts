/** `time.*` (OPA's v1/topdown/time.go). Instants are nanoseconds since 1970 and fit an int64. */
import { flatCopy } from "../../flat-copy.ts";
import { integer, isArray, isNumber, type RegoNumber, type RegoValue } from "../values.ts";
import type { Builtin, BuiltinContext } from "./contract.ts";
import { bigFloatOf, truncateFloat } from "./go/big-float.ts";
import {
  type Civil,
  civilOf,
  daysIn,
  instantOf,
  loadZone,
  utc,
  weekdayOf,
  type Zone,
} from "./go/civil-time.ts";
import { DurationError, parseDuration } from "./go/duration.ts";
import { dayNames, formatTime } from "./go/time-layout.ts";
import { parseTime, TimeParseError } from "./go/time-parse.ts";
import { refuseLongPattern, refuseLongText } from "./limits.ts";
import {
  asNumber,
  asText,
  builtin,
  failure,
  intOperand,
  isInt64,
  operand,
  textOperand,
  wrongType,
} from "./operands.ts";

const RFC3339 = "2006-01-02T15:04:05Z07:00";
const RFC3339_NANO = "2006-01-02T15:04:05.999999999Z07:00";

/** Layouts by the names Go gives them. */
const NAMED_LAYOUTS: ReadonlyMap<string, string> = new Map([
  ["ANSIC", "Mon Jan _2 15:04:05 2006"],
  ["UnixDate", "Mon Jan _2 15:04:05 MST 2006"],
  ["RubyDate", "Mon Jan 02 15:04:05 -0700 2006"],
  ["RFC822", "02 Jan 06 15:04 MST"],
  ["RFC822Z", "02 Jan 06 15:04 -0700"],
  ["RFC850", "Monday, 02-Jan-06 15:04:05 MST"],
  ["RFC1123", "Mon, 02 Jan 2006 15:04:05 MST"],
  ["RFC1123Z", "Mon, 02 Jan 2006 15:04:05 -0700"],
  ["RFC3339", RFC3339],
  ["RFC3339Nano", RFC3339_NANO],
]);

function layoutOf(name: string): string {
  refuseLongPattern(name);
  return NAMED_LAYOUTS.get(name) ?? name;
}

function inRange(ns: bigint): RegoNumber {
  if (!isInt64(ns)) {
    throw failure("time outside of valid range");
  }
  return integer(ns);
}

function parsed(layout: string, value: string, context: BuiltinContext): RegoNumber {
  refuseLongPattern(value);
  context.spend(1 + Math.floor((layout.length + value.length) / 4));
  try {
    return inRange(parseTime(layout, value));
  } catch (error) {
    throw error instanceof TimeParseError ? failure(error.message, error) : error;
  }
}

function duration(text: string): RegoNumber {
  refuseLongPattern(text);
  try {
    return integer(parseDuration(text));
  } catch (error) {
    throw error instanceof DurationError ? failure(error.message, error) : error;
  }
}

/** "Local" is UTC: a decision must not hang on where it is made. */
function zoneOf(name: string, context: BuiltinContext): Zone {
  if (name === "" || name === "UTC" || name === "Local") {
    return utc;
  }
  const key = `time.zone:${name}`;
  const known = context.cache.get(key);
  if (isZone(known)) {
    return known;
  }
  context.spend(1_000);
  const zone = loadZone(flatCopy(name));
  if (zone === undefined) {
    throw failure(`unknown time zone ${name}`);
  }
  context.cache.set(key, zone);
  return zone;
}

function isZone(value: unknown): value is Zone {
  return typeof value === "object" && value !== null && "at" in value && typeof value.at === "function";
}

interface Moment {
  readonly ns: bigint;
  readonly zone: Zone;
  readonly layout: string;
}

function exactNs(value: RegoNumber): bigint {
  const { whole, exact } = truncateFloat(bigFloatOf(value));
  if (!exact || !isInt64(whole)) {
    throw failure("timestamp too big");
  }
  return whole;
}

/** A number of nanoseconds, or `[ns, zone, layout]` of which the last may be missing. */
function moment(value: RegoValue, context: BuiltinContext): Moment {
  context.spend(20);
  if (isNumber(value)) {
    return { ns: exactNs(value), zone: utc, layout: "" };
  }
  const ns = isArray(value) ? value[0] : undefined;
  if (!isArray(value) || ns === undefined) {
    throw wrongType(1, value, "either number (ns) or [number (ns), string (tz)]");
  }
  asNumber(ns, 1);
  const [, zoneName, layoutName] = value;
  const zone = zoneName === undefined ? utc : zoneOf(asText(zoneName, 1), context);
  const layout = layoutName === undefined ? "" : asText(layoutName, 1);
  return { ns: exactNs(asNumber(ns, 1)), zone, layout };
}

function format(args: readonly RegoValue[], context: BuiltinContext): string {
  const { ns, zone, layout } = moment(operand(args, 1), context);
  context.spend(1 + layout.length);
  const text = formatTime(ns, zone, layout === "" ? RFC3339_NANO : layoutOf(layout));
  refuseLongText(text.length);
  return text;
}

/** Years beyond which no sum can be within an int64's nanoseconds. */
const maxYears = 10_000;

function addDate(args: readonly RegoValue[], context: BuiltinContext): RegoNumber {
  const { ns, zone } = moment(operand(args, 1), context);
  const years = intOperand(args, 2);
  const months = intOperand(args, 3);
  const days = intOperand(args, 4);
  if (Math.abs(years) > maxYears || Math.abs(months) > 12 * maxYears || Math.abs(days) > 366 * maxYears) {
    throw failure("time outside of valid range");
  }
  const civil = civilOf(ns, zone);
  const sum: Civil = {
    ...civil,
    year: civil.year + years,
    month: civil.month + months,
    day: civil.day + days,
  };
  return inRange(instantOf(sum, zone));
}

/** The difference of two clocks in calendar units, borrowing from the next larger as one does by hand. */
function difference(early: Civil, late: Civil): readonly number[] {
  let year = late.year - early.year;
  let month = late.month - early.month;
  let day = late.day - early.day;
  let hour = late.hour - early.hour;
  let minute = late.minute - early.minute;
  let second = late.second - early.second;
  if (second < 0) {
    second += 60;
    minute -= 1;
  }
  if (minute < 0) {
    minute += 60;
    hour -= 1;
  }
  if (hour < 0) {
    hour += 24;
    day -= 1;
  }
  if (day < 0) {
    day += daysIn(early.month, early.year);
    month -= 1;
  }
  if (month < 0) {
    month += 12;
    year -= 1;
  }
  return [year, month, day, hour, minute, second];
}

function diff(args: readonly RegoValue[], context: BuiltinContext): readonly number[] {
  const first = moment(operand(args, 1), context);
  const second = moment(operand(args, 2), context);
  const one = civilOf(first.ns, first.zone);
  const other = civilOf(second.ns, first.zone);
  return first.ns > second.ns ? difference(other, one) : difference(one, other);
}

function civil(args: readonly RegoValue[], context: BuiltinContext): Civil {
  const { ns, zone } = moment(operand(args, 1), context);
  return civilOf(ns, zone);
}

export const timeBuiltins: readonly Builtin[] = [
  builtin("time.now_ns", 0, (_, context) => integer(context.nowNs)),
  builtin("time.parse_ns", 2, (args, context) => {
    const layout = textOperand(args, 1);
    return parsed(layoutOf(layout), textOperand(args, 2), context);
  }),
  builtin("time.parse_rfc3339_ns", 1, (args, context) => parsed(RFC3339, textOperand(args, 1), context)),
  builtin("time.parse_duration_ns", 1, (args) => duration(textOperand(args, 1))),
  builtin("time.format", 1, format),
  builtin("time.date", 1, (args, context) => {
    const { year, month, day } = civil(args, context);
    return [year, month, day];
  }),
  builtin("time.clock", 1, (args, context) => {
    const { hour, minute, second } = civil(args, context);
    return [hour, minute, second];
  }),
  builtin("time.weekday", 1, (args, context) => {
    const { ns, zone } = moment(operand(args, 1), context);
    return dayNames[weekdayOf(ns, zone)];
  }),
  builtin("time.add_date", 4, addDate),
  builtin("time.diff", 2, diff),
];

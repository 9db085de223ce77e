import { flatCopy } from "../../flat-copy.ts";
import { CelError } from "../errors.ts";
import { shortened } from "../shortened.ts";
import type { CelTimestamp } from "../values.ts";
import { spend } from "../work.ts";
import { parseGoInteger } from "./go-numbers.ts";

/** Formatters cost far more than what they format; names come from policies, so few are in use. */
const formatters = new Map<string, Intl.DateTimeFormat>();
const MAX_FORMATTERS = 256;
/** What making one and what using one takes, in units of work.ts. */
const FORMATTER_WORK = 5_000;
const LOOKUP_WORK = 1_000;

/**
 * Seconds east of UTC that clocks of a zone show at a time. A zone is an IANA name or an offset `[+-]hh:mm`, as in
 * cel-go (common/types/timestamp.go). Throws `CelError` for others.
 */
export function zoneOffsetSeconds(zone: string, timestamp: CelTimestamp): number {
  const colon = zone.indexOf(":");
  if (colon !== -1) return fixedOffset(zone, zone.slice(0, colon), zone.slice(colon + 1));
  if (zone === "" || zone === "UTC" || zone === "Local") return 0;
  return namedOffset(zone, timestamp);
}

function fixedOffset(zone: string, hourText: string, minuteText: string): number {
  const hours = decimal(hourText);
  const minutes = decimal(minuteText);
  if (minutes < 0 || minutes > 59) {
    throw new CelError(`timezone offset minutes out of range [0, 59]: ${shortened(zone)}`);
  }
  return 60 * (zone.startsWith("-") ? hours * 60 - minutes : hours * 60 + minutes);
}

function decimal(text: string): number {
  const value = parseGoInteger(text);
  if (value === undefined)
    throw new CelError(`strconv.Atoi: parsing ${JSON.stringify(shortened(text))}: invalid syntax`);
  if (value < -1_000_000n || value > 1_000_000n) {
    throw new CelError(`strconv.Atoi: parsing ${JSON.stringify(shortened(text))}: value out of range`);
  }
  return Number(value);
}

function namedOffset(zone: string, timestamp: CelTimestamp): number {
  spend(LOOKUP_WORK);
  const parts = new Map(
    formatterFor(zone)
      .formatToParts(timestamp.seconds * 1000)
      .map((part) => [part.type, part.value]),
  );
  const number = (type: Intl.DateTimeFormatPartTypes): number => Number(parts.get(type) ?? "0");
  const wall = new Date(0);
  wall.setUTCFullYear(
    parts.get("era") === "BC" ? 1 - number("year") : number("year"),
    number("month") - 1,
    number("day"),
  );
  const seconds = wall.getTime() / 1000 + number("hour") * 3600 + number("minute") * 60 + number("second");
  return seconds - timestamp.seconds;
}

function formatterFor(zone: string): Intl.DateTimeFormat {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(zone)) throw unknownZone(zone);
  // Every spelling of a zone is taken: "utc" and "UTC" are one.
  const key = zone.toLowerCase();
  const known = formatters.get(key);
  if (known !== undefined) return known;
  spend(FORMATTER_WORK);
  let formatter: Intl.DateTimeFormat;
  try {
    formatter = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      era: "short",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch (error) {
    if (error instanceof RangeError) throw unknownZone(zone);
    throw error;
  }
  if (formatters.size >= MAX_FORMATTERS) formatters.clear();
  formatters.set(flatCopy(key), formatter);
  return formatter;
}

const unknownZone = (zone: string): CelError => new CelError(`unknown time zone ${shortened(zone)}`);

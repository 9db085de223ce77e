/**
 * Go's time.Time: an instant in nanoseconds and the calendar of a time zone. The calendar is the proleptic
 * Gregorian one; zones come from the platform's Intl.
 */

export const nsPerSecond = 1_000_000_000n;
const secondsPerDay = 86_400;

export interface Civil {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly nanosecond: number;
}

/** Seconds east of UTC, and what the zone is called, at an instant. */
export interface ZoneOffset {
  readonly seconds: number;
  readonly name: string;
}

export interface Zone {
  readonly at: (unixSeconds: number) => ZoneOffset;
}

export const utc: Zone = { at: () => ({ seconds: 0, name: "UTC" }) };

export function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

const DAYS_BEFORE = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365] as const;

/** Days before a month in a common year; month 13 is the whole year. */
export function daysBefore(month: number): number {
  return DAYS_BEFORE[month - 1] ?? 0;
}

export function daysIn(month: number, year: number): number {
  return daysBefore(month + 1) - daysBefore(month) + (month === 2 && isLeapYear(year) ? 1 : 0);
}

/** Days since 1970-01-01; years are counted from March so that the leap day is the last. */
export function daysFromCivil(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function civilFromDays(days: number): readonly [year: number, month: number, day: number] {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  return [yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day];
}

/** Whole seconds since 1970, rounded down, and the nanoseconds above them. */
export function splitNs(ns: bigint): { readonly seconds: number; readonly nanosecond: number } {
  const rest = ((ns % nsPerSecond) + nsPerSecond) % nsPerSecond;
  return { seconds: Number((ns - rest) / nsPerSecond), nanosecond: Number(rest) };
}

/** The calendar and clock of an instant in a zone. */
export function civilOf(ns: bigint, zone: Zone): Civil {
  const { seconds, nanosecond } = splitNs(ns);
  const local = seconds + zone.at(seconds).seconds;
  const days = Math.floor(local / secondsPerDay);
  const ofDay = local - days * secondsPerDay;
  const [year, month, day] = civilFromDays(days);
  return {
    year,
    month,
    day,
    hour: Math.floor(ofDay / 3600),
    minute: Math.floor(ofDay / 60) % 60,
    second: ofDay % 60,
    nanosecond,
  };
}

/** 0 is Sunday. */
export function weekdayOf(ns: bigint, zone: Zone): number {
  const { year, month, day } = civilOf(ns, zone);
  return (((daysFromCivil(year, month, day) + 4) % 7) + 7) % 7;
}

export function yearDayOf(civil: Civil): number {
  return daysFromCivil(civil.year, civil.month, civil.day) - daysFromCivil(civil.year, 1, 1) + 1;
}

/** The instant of a calendar time; months and days outside their range carry over, as in time.Date. */
export function instantOf(civil: Civil, zone: Zone): bigint {
  const months = civil.year * 12 + (civil.month - 1);
  const year = Math.floor(months / 12);
  const days = daysFromCivil(year, months - year * 12 + 1, 1) + civil.day - 1;
  const wall = days * secondsPerDay + civil.hour * 3600 + civil.minute * 60 + civil.second;
  const guess = zone.at(wall).seconds;
  const seconds = wall - zone.at(wall - guess).seconds;
  return BigInt(seconds) * nsPerSecond + BigInt(civil.nanosecond);
}

/** In whose English a zone has an abbreviation of its own: "CET" in Britain, "GMT+1" in America. */
const LOCALES = ["en-US", "en-GB", "en-AU", "en-NZ", "en-IN", "en-ZA", "ja-JP", "ko-KR"];

function partOf(formatter: Intl.DateTimeFormat, milliseconds: number): string {
  return formatter.formatToParts(milliseconds).find(({ type }) => type === "timeZoneName")?.value ?? "";
}

/** "GMT-07:52:58", "GMT+5:30" or "GMT" as seconds. */
function offsetSeconds(text: string): number {
  const [hours = "0", minutes = "0", seconds = "0"] = text
    .replace("GMT", "")
    .replace("\u2212", "-")
    .split(":");
  const sign = hours.startsWith("-") ? -1 : 1;
  return sign * (Math.abs(Number(hours)) * 3600 + Number(minutes) * 60 + Number(seconds));
}

/** The range of JavaScript's dates. */
const latestMs = 8.64e15;

/** A zone of the tz database; undefined when there is none of that name. */
export function loadZone(name: string): Zone | undefined {
  if (!/^[A-Za-z]/.test(name) || name.length > 64) {
    return undefined;
  }
  const formatters = new Map<string, Intl.DateTimeFormat>();
  const formatter = (locale: string, timeZoneName: "longOffset" | "short") => {
    const key = `${locale} ${timeZoneName}`;
    const made = formatters.get(key) ?? new Intl.DateTimeFormat(locale, { timeZone: name, timeZoneName });
    formatters.set(key, made);
    return made;
  };
  let offsets: Intl.DateTimeFormat;
  try {
    offsets = formatter("en-US", "longOffset");
  } catch (error) {
    if (error instanceof RangeError) {
      return undefined;
    }
    throw error;
  }
  return {
    at: (unixSeconds) => {
      const milliseconds = Math.max(-latestMs, Math.min(unixSeconds * 1000, latestMs));
      const text = partOf(offsets, milliseconds);
      const seconds = offsetSeconds(text);
      return {
        seconds,
        get name() {
          const offsetAt = (instant: number) => offsetSeconds(partOf(offsets, instant));
          return abbreviation(formatter, offsetAt, milliseconds, seconds);
        },
      };
    },
  };
}

const JANUARY_2020 = Date.UTC(2020, 0, 15);
const JULY_2020 = Date.UTC(2020, 6, 15);

function abbreviation(
  formatter: (locale: string, style: "short") => Intl.DateTimeFormat,
  offsetAt: (milliseconds: number) => number,
  milliseconds: number,
  seconds: number,
): string {
  // Intl knows no abbreviations before 1970; one of today's with the same offset is what the tz database has too.
  const instants = milliseconds >= 0 ? [milliseconds] : [milliseconds, JANUARY_2020, JULY_2020];
  for (const instant of instants) {
    for (const locale of LOCALES) {
      const text = partOf(formatter(locale, "short"), instant);
      const isSame = instant === milliseconds || offsetAt(instant) === seconds;
      if (isSame && (!text.startsWith("GMT") || text === "GMT")) {
        return text;
      }
    }
  }
  const minutes = Math.floor(Math.abs(seconds) / 60);
  const tail = minutes % 60 === 0 ? "" : String(minutes % 60).padStart(2, "0");
  return `${seconds < 0 ? "-" : "+"}${String(Math.floor(minutes / 60)).padStart(2, "0")}${tail}`;
}
